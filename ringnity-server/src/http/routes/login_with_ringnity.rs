//! Routes of the tag "Login with Ringnity". Each calls the rule of the same name.

use super::prelude::*;

impl LoginWithRingnityOperations for Routes {
    not_implemented! {
        get_openid_configuration(GetOpenidConfigurationInput) -> types::OpenIdConfiguration;
        authorize_with_ringnity(AuthorizeWithRingnityInput) -> Redirect;
        exchange_ringnity_oauth_token(ExchangeRingnityOauthTokenInput) -> types::OAuthTokenResponse;
        get_ringnity_oauth_user_info(OauthPrincipal, GetRingnityOauthUserInfoInput) -> types::OAuthUserInfo;
        get_ringnity_oauth_widget_key(OauthPrincipal, GetRingnityOauthWidgetKeyInput) -> types::OAuthWidgetKey;
        add_ringnity_oauth_allowed_domain(OauthPrincipal, AddRingnityOauthAllowedDomainInput) -> types::OAuthWidgetKey;
        get_ringnity_oauth_jwks(GetRingnityOauthJwksInput) -> types::Jwks;
        revoke_ringnity_oauth_token(RevokeRingnityOauthTokenInput) -> types::Acknowledgement;
    }
}
