//! Routes of the area "Agent CRM": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    AgentCrmOperations, AgentPrincipal, AssignAgentConversationInput, CloseAgentConversationInput,
    DeleteAgentConversationAttachmentInput, GetAgentConversationInput, GetAgentPresenceInput,
    GetAgentProfileInput, ListAgentConversationMessagesInput, ListAgentConversationsInput,
    MarkAgentMessageReadInput, SendAgentConversationMessageInput, UpdateAgentPresenceInput,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl AgentCrmOperations for Routes {
    later! {
        get_agent_profile(AgentPrincipal, GetAgentProfileInput) -> types::AgentProfileEnvelope;
        get_agent_presence(AgentPrincipal, GetAgentPresenceInput) -> types::PresenceEnvelope;
        update_agent_presence(AgentPrincipal, UpdateAgentPresenceInput) -> types::PresenceEnvelope;
        list_agent_conversations(AgentPrincipal, ListAgentConversationsInput) -> types::ConversationListEnvelope;
        get_agent_conversation(AgentPrincipal, GetAgentConversationInput) -> types::ConversationEnvelope;
        list_agent_conversation_messages(AgentPrincipal, ListAgentConversationMessagesInput) -> types::MessageListEnvelope;
        send_agent_conversation_message(AgentPrincipal, SendAgentConversationMessageInput) -> types::MessageEnvelope;
        mark_agent_message_read(AgentPrincipal, MarkAgentMessageReadInput) -> types::MessageReceiptEnvelope;
        delete_agent_conversation_attachment(AgentPrincipal, DeleteAgentConversationAttachmentInput) -> types::AttachmentDeleteEnvelope;
        assign_agent_conversation(AgentPrincipal, AssignAgentConversationInput) -> types::AssignmentEnvelope;
        close_agent_conversation(AgentPrincipal, CloseAgentConversationInput) -> types::ConversationEnvelope;
    }
}
