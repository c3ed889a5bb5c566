//! Routes of the area "Admin Reports": each hands its principal and input to the rule of the same name.

use ringnity_api::{
    AdminPrincipal, AdminReportsOperations, ExportAdminReportInput, ExportAdminReportOutput,
    GetAdminAiReadinessInput, GetAdminDomainsInput, GetAdminReadinessInput, GetAdminReportSummaryInput,
    GetAdminReportTimeseriesInput, GetAdminServicesInput, GetAdminStaffSummaryInput,
    GetAdminSubscriptionInput, GetAdminTenantInput,
};
use ringnity_types as types;

use crate::http::routes::{Routes, later};

impl AdminReportsOperations for Routes {
    later! {
        get_admin_tenant(AdminPrincipal, GetAdminTenantInput) -> types::AdminTenantEnvelope;
        get_admin_readiness(AdminPrincipal, GetAdminReadinessInput) -> types::ReadinessEnvelope;
        get_admin_domains(AdminPrincipal, GetAdminDomainsInput) -> types::DomainListEnvelope;
        get_admin_services(AdminPrincipal, GetAdminServicesInput) -> types::ServiceListEnvelope;
        get_admin_subscription(AdminPrincipal, GetAdminSubscriptionInput) -> types::SubscriptionEnvelope;
        get_admin_ai_readiness(AdminPrincipal, GetAdminAiReadinessInput) -> types::AiReadinessEnvelope;
        get_admin_staff_summary(AdminPrincipal, GetAdminStaffSummaryInput) -> types::StaffSummaryEnvelope;
        get_admin_report_summary(AdminPrincipal, GetAdminReportSummaryInput) -> types::ReportSummaryEnvelope;
        get_admin_report_timeseries(AdminPrincipal, GetAdminReportTimeseriesInput) -> types::ReportTimeseriesEnvelope;
        export_admin_report(AdminPrincipal, ExportAdminReportInput) -> ExportAdminReportOutput;
    }
}
