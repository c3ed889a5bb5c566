//! Routes of the tag "Webhooks". Each calls the rule of the same name.

use super::prelude::*;

impl WebhooksOperations for Routes {
    not_implemented! {
        list_webhooks(ServerPrincipal, ListWebhooksInput) -> types::WebhookList;
        create_webhook(ServerPrincipal, CreateWebhookInput) -> types::WebhookData;
        list_webhook_deliveries(ServerPrincipal, ListWebhookDeliveriesInput) -> types::WebhookDeliveryList;
        test_webhook(ServerPrincipal, TestWebhookInput) -> types::WebhookTestResult;
        disable_webhook(ServerPrincipal, DisableWebhookInput) -> types::WebhookData;
        update_webhook(ServerPrincipal, UpdateWebhookInput) -> types::WebhookData;
    }
}
