//! Routes of the tag "Chat". Each calls the rule of the same name.

use super::prelude::*;

impl ChatOperations for Routes {
    not_implemented! {
        create_visitor_chat_session(Option<VisitorPrincipal>, CreateVisitorChatSessionInput) -> types::VisitorChatSession;
        create_visitor_conversation(Option<VisitorPrincipal>, CreateVisitorConversationInput) -> types::ConversationData;
        get_visitor_open_ticket(Option<VisitorPrincipal>, GetVisitorOpenTicketInput) -> types::OpenTicket;
        get_visitor_chat_availability(Option<VisitorPrincipal>, GetVisitorChatAvailabilityInput) -> types::Availability;
        get_visitor_conversation(Option<VisitorPrincipal>, GetVisitorConversationInput) -> types::VisitorConversation;
        send_visitor_conversation_message(Option<VisitorPrincipal>, SendVisitorConversationMessageInput) -> types::MessageData;
        delete_visitor_conversation_message(Option<VisitorPrincipal>, DeleteVisitorConversationMessageInput) -> types::MessageDeletion;
        edit_visitor_conversation_message(Option<VisitorPrincipal>, EditVisitorConversationMessageInput) -> types::MessageData;
        create_visitor_conversation_attachment(Option<VisitorPrincipal>, CreateVisitorConversationAttachmentInput) -> types::AttachmentCreated;
        upload_visitor_conversation_attachment(Option<VisitorPrincipal>, UploadVisitorConversationAttachmentInput) -> types::AttachmentCreated;
        create_visitor_conversation_call_link(Option<VisitorPrincipal>, CreateVisitorConversationCallLinkInput) -> types::CallLinkCreated;
        mark_chat_message_delivered(Option<VisitorOrAgent>, MarkChatMessageDeliveredInput) -> types::ReceiptResult;
        mark_chat_message_read(Option<VisitorOrAgent>, MarkChatMessageReadInput) -> types::ReceiptResult;
        get_attachment_link(VisitorOrAgent, GetAttachmentLinkInput) -> types::AttachmentLink;
        download_attachment(DownloadAttachmentInput) -> Content;
        rate_visitor_conversation(VisitorPrincipal, RateVisitorConversationInput) -> types::ConversationRatingResult;
    }
}
