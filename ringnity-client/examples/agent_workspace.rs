//! An agent's workspace, as in the Agent SDK guide: get a token from the backend, go online, list open
//! conversations, read and answer one, assign it, mark the last message as read.
//!
//! Run `cargo run -p ringnity-client --example agent_workspace -- --demo-file demo.json`. With `--close` the
//! conversation is closed at the end.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ringnity_client::types::{
    AgentScope, AssignConversationRequest, ConversationStatus, CreateAgentTokenRequest, Field,
    SendMessageRequest, UpdatePresenceRequest, UpdatePresenceRequestStatus,
};
use ringnity_client::{AgentToken, Client, ServerKey};
use serde::Deserialize;

/// Answer the first open conversation of an agent
#[derive(Debug, Parser)]
struct Arguments {
    /// File written by `ringnity-server serve --demo-file`
    #[arg(long, value_name = "FILE", env = "RINGNITY_DEMO_FILE")]
    demo_file: PathBuf,
    /// Text of the reply
    #[arg(long, default_value = "Hi, how can I help?")]
    reply: String,
    /// Close the conversation at the end, for this reason
    #[arg(long, value_name = "REASON")]
    close: Option<String>,
}

/// The fields of the demo file that this program reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Demo {
    base_url: String,
    server_api_key: String,
    agents: Vec<Agent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Agent {
    username: String,
    agent_id: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let path = &arguments.demo_file;
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("cannot read {}: {error}; start the server with --demo-file", path.display())
    })?;
    let demo: Demo = serde_json::from_str(&text)?;
    let account = demo.agents.first().ok_or("the demo file has no agent")?;

    // In your backend, which alone has the Server API key.
    let backend = Client::new(&demo.base_url)?.with_credential(ServerKey::new(demo.server_api_key));
    let request = CreateAgentTokenRequest {
        username: Some(account.username.clone()),
        expires_in: 900,
        scopes: Some(vec![
            AgentScope::AgentProfileRead,
            AgentScope::AgentPresenceRead,
            AgentScope::AgentPresenceWrite,
            AgentScope::AgentConversationsRead,
            AgentScope::AgentConversationsWrite,
            AgentScope::AgentMessagesRead,
            AgentScope::AgentMessagesWrite,
        ]),
        ..CreateAgentTokenRequest::new()
    };
    let token = backend.create_agent_token(request).send().await?.into_inner().data;

    // In the agent's browser, which gets the token only.
    let agent = backend.with_credential(AgentToken::new(token.token));
    let profile = agent.get_agent_profile().send().await?;
    println!("{:?}", profile.data);
    agent
        .update_agent_presence(UpdatePresenceRequest::new(UpdatePresenceRequestStatus::Online))
        .send()
        .await?;

    let inbox = agent.list_agent_conversations().status(ConversationStatus::Open).limit(10).send().await?;
    println!("{} open conversations", inbox.data.conversations.len());
    let Some(conversation) = inbox.data.conversations.first() else { return Ok(()) };
    let id = &conversation.conversation_id;

    let thread = agent.list_agent_conversation_messages(id).limit(50).send().await?.into_inner();
    let messages = thread.data.and_then(|data| data.messages).unwrap_or_default();
    for message in &messages {
        println!("  {}", message.body.as_deref().unwrap_or("(no text)"));
    }
    agent.send_agent_conversation_message(id, SendMessageRequest::new(&arguments.reply)).send().await?;
    let assignment = AssignConversationRequest {
        assigned_agent_id: Field::Value(account.agent_id.clone()),
        reason: Some("Accepted from CRM inbox".into()),
        ..Default::default()
    };
    agent.assign_agent_conversation(id).body(assignment).send().await?;
    if let Some(last) = messages.last().and_then(|message| message.message_id.as_deref()) {
        agent.mark_agent_message_read(id, last).send().await?;
    }
    if let Some(reason) = arguments.close {
        let body = serde_json::from_value(serde_json::json!({ "reason": reason }))?;
        agent.close_agent_conversation(id).body(body).send().await?;
        println!("closed {id}");
    }
    Ok(())
}
