//! Routes of the area "Webhooks": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    CreateWebhookInput, DisableWebhookInput, ListWebhookDeliveriesInput, ListWebhooksInput, ServerPrincipal,
    TestWebhookInput, UpdateWebhookInput, WebhooksOperations,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl WebhooksOperations for Routes {
    later! {
        list_webhooks(ServerPrincipal, ListWebhooksInput) -> types::WebhookListEnvelope;
        create_webhook(ServerPrincipal, CreateWebhookInput) -> types::WebhookEnvelope;
        list_webhook_deliveries(ServerPrincipal, ListWebhookDeliveriesInput) -> types::WebhookDeliveryListEnvelope;
        test_webhook(ServerPrincipal, TestWebhookInput) -> types::WebhookTestEnvelope;
        disable_webhook(ServerPrincipal, DisableWebhookInput) -> types::WebhookEnvelope;
        update_webhook(ServerPrincipal, UpdateWebhookInput) -> types::WebhookEnvelope;
    }
}
