//! Routes of the area "Calls": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    CallsOperations, CreateCallSessionInput, EndCallSessionInput, GetCallSessionInput,
    VisitorOrAgentOrOwnerOrWorkspace,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl CallsOperations for Routes {
    later! {
        create_call_session(VisitorOrAgentOrOwnerOrWorkspace, CreateCallSessionInput) -> types::CallSessionEnvelope;
        get_call_session(VisitorOrAgentOrOwnerOrWorkspace, GetCallSessionInput) -> types::CallSessionEnvelope;
        end_call_session(VisitorOrAgentOrOwnerOrWorkspace, EndCallSessionInput) -> types::CallSessionEnvelope;
    }
}
