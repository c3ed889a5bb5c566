//! Routes of the area "Chat": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    ChatOperations, Content, CreateVisitorChatSessionInput, CreateVisitorConversationAttachmentInput,
    CreateVisitorConversationCallLinkInput, CreateVisitorConversationInput,
    DeleteVisitorConversationMessageInput, DownloadAttachmentInput, EditVisitorConversationMessageInput,
    GetAttachmentLinkInput, GetVisitorChatAvailabilityInput, GetVisitorConversationInput,
    GetVisitorOpenTicketInput, MarkChatMessageDeliveredInput, MarkChatMessageReadInput,
    RateVisitorConversationInput, SendVisitorConversationMessageInput,
    UploadVisitorConversationAttachmentInput, VisitorOrAgent, VisitorPrincipal,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl ChatOperations for Routes {
    later! {
        create_visitor_chat_session(Option<VisitorPrincipal>, CreateVisitorChatSessionInput) -> types::VisitorSessionEnvelope;
        create_visitor_conversation(Option<VisitorPrincipal>, CreateVisitorConversationInput) -> types::ConversationEnvelope;
        get_visitor_open_ticket(Option<VisitorPrincipal>, GetVisitorOpenTicketInput) -> types::TicketEnvelope;
        get_visitor_chat_availability(Option<VisitorPrincipal>, GetVisitorChatAvailabilityInput) -> types::AvailabilityEnvelope;
        get_visitor_conversation(Option<VisitorPrincipal>, GetVisitorConversationInput) -> types::VisitorConversationEnvelope;
        send_visitor_conversation_message(Option<VisitorPrincipal>, SendVisitorConversationMessageInput) -> types::MessageEnvelope;
        delete_visitor_conversation_message(Option<VisitorPrincipal>, DeleteVisitorConversationMessageInput) -> types::MessageDeletionEnvelope;
        edit_visitor_conversation_message(Option<VisitorPrincipal>, EditVisitorConversationMessageInput) -> types::MessageEnvelope;
        create_visitor_conversation_attachment(Option<VisitorPrincipal>, CreateVisitorConversationAttachmentInput) -> types::AttachmentEnvelope;
        upload_visitor_conversation_attachment(Option<VisitorPrincipal>, UploadVisitorConversationAttachmentInput) -> types::AttachmentEnvelope;
        create_visitor_conversation_call_link(Option<VisitorPrincipal>, CreateVisitorConversationCallLinkInput) -> types::CallLinkEnvelope;
        mark_chat_message_delivered(Option<VisitorOrAgent>, MarkChatMessageDeliveredInput) -> types::ReceiptEnvelope;
        mark_chat_message_read(Option<VisitorOrAgent>, MarkChatMessageReadInput) -> types::ReceiptEnvelope;
        get_attachment_link(VisitorOrAgent, GetAttachmentLinkInput) -> types::AttachmentLinkEnvelope;
        download_attachment(DownloadAttachmentInput) -> Content;
        rate_visitor_conversation(VisitorPrincipal, RateVisitorConversationInput) -> types::ConversationRatingEnvelope;
    }
}
