//! Routes of the area "Login with Ringnity": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    AddRingnityOauthAllowedDomainInput, AuthorizeWithRingnityInput, ExchangeRingnityOauthTokenInput,
    GetOpenidConfigurationInput, GetRingnityOauthJwksInput, GetRingnityOauthUserInfoInput,
    GetRingnityOauthWidgetKeyInput, LoginWithRingnityOperations, OauthPrincipal, Redirect,
    RevokeRingnityOauthTokenInput,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl LoginWithRingnityOperations for Routes {
    later! {
        get_openid_configuration(GetOpenidConfigurationInput) -> types::OpenIdConfiguration;
        authorize_with_ringnity(AuthorizeWithRingnityInput) -> Redirect;
        exchange_ringnity_oauth_token(ExchangeRingnityOauthTokenInput) -> types::OAuthTokenResponse;
        get_ringnity_oauth_user_info(OauthPrincipal, GetRingnityOauthUserInfoInput) -> types::OAuthUserInfo;
        get_ringnity_oauth_widget_key(OauthPrincipal, GetRingnityOauthWidgetKeyInput) -> types::OAuthWidgetKeyEnvelope;
        add_ringnity_oauth_allowed_domain(OauthPrincipal, AddRingnityOauthAllowedDomainInput) -> types::OAuthWidgetKeyEnvelope;
        get_ringnity_oauth_jwks(GetRingnityOauthJwksInput) -> types::Jwks;
        revoke_ringnity_oauth_token(RevokeRingnityOauthTokenInput) -> types::SuccessEnvelope;
    }
}
