//! Routes of the tag "Calls". Each calls the rule of the same name.

use super::prelude::*;

impl CallsOperations for Routes {
    not_implemented! {
        create_call_session(VisitorOrAgentOrOwnerOrWorkspace, CreateCallSessionInput) -> types::CallSessionData;
        get_call_session(VisitorOrAgentOrOwnerOrWorkspace, GetCallSessionInput) -> types::CallSessionData;
        end_call_session(VisitorOrAgentOrOwnerOrWorkspace, EndCallSessionInput) -> types::CallSessionData;
    }
}
