//! Routes of the tag "Admin Reports". Each calls the rule of the same name.

use super::prelude::*;

impl AdminReportsOperations for Routes {
    not_implemented! {
        get_admin_tenant(AdminPrincipal, GetAdminTenantInput) -> types::AdminTenant;
        get_admin_readiness(AdminPrincipal, GetAdminReadinessInput) -> types::Readiness;
        get_admin_domains(AdminPrincipal, GetAdminDomainsInput) -> types::DomainList;
        get_admin_services(AdminPrincipal, GetAdminServicesInput) -> types::ServiceList;
        get_admin_subscription(AdminPrincipal, GetAdminSubscriptionInput) -> types::Subscription;
        get_admin_ai_readiness(AdminPrincipal, GetAdminAiReadinessInput) -> types::AiReadiness;
        get_admin_staff_summary(AdminPrincipal, GetAdminStaffSummaryInput) -> types::StaffSummary;
        get_admin_report_summary(AdminPrincipal, GetAdminReportSummaryInput) -> types::Report;
        get_admin_report_timeseries(AdminPrincipal, GetAdminReportTimeseriesInput) -> types::ReportTimeseries;
        export_admin_report(AdminPrincipal, ExportAdminReportInput) -> ExportAdminReportOutput;
    }
}
