//! Routes of the area "AI": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    AdminPrincipal, AiOperations, CreateAiVisitorConversationInput, CreateAiVisitorRealtimeCallInput,
    DeleteAdminKnowledgeInput, GetAdminKnowledgeInput, GetAiVisitorRoutingInput,
    IngestAdminKnowledgeUrlInput, ListAdminKnowledgeInput, ReindexAdminKnowledgeInput,
    SearchAiVisitorKnowledgeInput, SendAiVisitorMessageInput, TextBody, UploadAdminKnowledgeDocumentInput,
    VisitorPrincipal,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl AiOperations for Routes {
    later! {
        upload_admin_knowledge_document(AdminPrincipal, UploadAdminKnowledgeDocumentInput) -> types::AiKnowledgeEnvelope;
        ingest_admin_knowledge_url(AdminPrincipal, IngestAdminKnowledgeUrlInput) -> types::AiKnowledgeEnvelope;
        reindex_admin_knowledge(AdminPrincipal, ReindexAdminKnowledgeInput) -> types::AiKnowledgeEnvelope;
        get_admin_knowledge(AdminPrincipal, GetAdminKnowledgeInput) -> types::AiKnowledgeEnvelope;
        delete_admin_knowledge(AdminPrincipal, DeleteAdminKnowledgeInput) -> types::AiKnowledgeEnvelope;
        get_ai_visitor_routing(Option<VisitorPrincipal>, GetAiVisitorRoutingInput) -> types::AiRoutingEnvelope;
        create_ai_visitor_conversation(Option<VisitorPrincipal>, CreateAiVisitorConversationInput) -> types::AiConversationEnvelope;
        send_ai_visitor_message(Option<VisitorPrincipal>, SendAiVisitorMessageInput) -> types::AiChatEnvelope;
        search_ai_visitor_knowledge(Option<VisitorPrincipal>, SearchAiVisitorKnowledgeInput) -> types::KnowledgeSearchEnvelope;
        create_ai_visitor_realtime_call(Option<VisitorPrincipal>, CreateAiVisitorRealtimeCallInput) -> TextBody;
        list_admin_knowledge(AdminPrincipal, ListAdminKnowledgeInput) -> types::KnowledgeItemListEnvelope;
    }
}
