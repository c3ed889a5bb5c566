//! Routes of the tag "Agent CRM". Each calls the rule of the same name.

use super::prelude::*;

impl AgentCrmOperations for Routes {
    not_implemented! {
        get_agent_profile(AgentPrincipal, GetAgentProfileInput) -> types::AgentProfileData;
        get_agent_presence(AgentPrincipal, GetAgentPresenceInput) -> types::Presence;
        update_agent_presence(AgentPrincipal, UpdateAgentPresenceInput) -> types::Presence;
        list_agent_conversations(AgentPrincipal, ListAgentConversationsInput) -> types::ConversationList;
        get_agent_conversation(AgentPrincipal, GetAgentConversationInput) -> types::ConversationData;
        list_agent_conversation_messages(AgentPrincipal, ListAgentConversationMessagesInput) -> types::MessageList;
        send_agent_conversation_message(AgentPrincipal, SendAgentConversationMessageInput) -> types::MessageData;
        mark_agent_message_read(AgentPrincipal, MarkAgentMessageReadInput) -> types::ReceiptResult;
        delete_agent_conversation_attachment(AgentPrincipal, DeleteAgentConversationAttachmentInput) -> types::AttachmentDelete;
        assign_agent_conversation(AgentPrincipal, AssignAgentConversationInput) -> types::AssignmentData;
        close_agent_conversation(AgentPrincipal, CloseAgentConversationInput) -> types::ConversationData;
    }
}
