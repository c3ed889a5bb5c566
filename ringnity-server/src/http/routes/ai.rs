//! Routes of the tag "AI". Each calls the rule of the same name.

use super::prelude::*;

impl AiOperations for Routes {
    not_implemented! {
        upload_admin_knowledge_document(AdminPrincipal, UploadAdminKnowledgeDocumentInput) -> types::AiKnowledgeEnvelope;
        ingest_admin_knowledge_url(AdminPrincipal, IngestAdminKnowledgeUrlInput) -> types::AiKnowledgeEnvelope;
        reindex_admin_knowledge(AdminPrincipal, ReindexAdminKnowledgeInput) -> types::AiKnowledgeEnvelope;
        get_admin_knowledge(AdminPrincipal, GetAdminKnowledgeInput) -> types::AiKnowledgeEnvelope;
        delete_admin_knowledge(AdminPrincipal, DeleteAdminKnowledgeInput) -> types::AiKnowledgeEnvelope;
        get_ai_visitor_routing(Option<VisitorPrincipal>, GetAiVisitorRoutingInput) -> types::AiRouting;
        create_ai_visitor_conversation(Option<VisitorPrincipal>, CreateAiVisitorConversationInput) -> types::AiConversation;
        send_ai_visitor_message(Option<VisitorPrincipal>, SendAiVisitorMessageInput) -> types::AiChat;
        search_ai_visitor_knowledge(Option<VisitorPrincipal>, SearchAiVisitorKnowledgeInput) -> types::KnowledgeSearch;
        create_ai_visitor_realtime_call(Option<VisitorPrincipal>, CreateAiVisitorRealtimeCallInput) -> TextBody;
        list_admin_knowledge(AdminPrincipal, ListAdminKnowledgeInput) -> types::KnowledgeItemList;
    }
}
