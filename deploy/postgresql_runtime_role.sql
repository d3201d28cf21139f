-- What the processes of the portal may do in PostgreSQL when they do not own its tables: what they
-- need of each table, and nothing else. Run it as the owner after every migrate; the role exists:
--
--   CREATE ROLE portal_runtime LOGIN PASSWORD '...';
--
-- web, worker and scheduler then connect as portal_runtime, and only migrate as the owner.
--
-- It is one statement, so that it happens whole or not at all, and takes everything before it
-- grants: a table that is not named here is out of reach (tests/test_runtime_role.py names it).

DO $$
BEGIN
    -- Before PostgreSQL 15 everybody may make objects here, and who can may have an owner's query
    -- use them.
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    REVOKE ALL ON SCHEMA public FROM portal_runtime;
    REVOKE ALL ON ALL TABLES IN SCHEMA public FROM portal_runtime;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM portal_runtime;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM portal_runtime;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM portal_runtime;

    GRANT USAGE ON SCHEMA public TO portal_runtime;

    -- Made by migrations alone.
    GRANT SELECT ON
        auth_group,
        auth_group_permissions,
        auth_permission,
        django_content_type,
        django_migrations,
        socialaccount_socialapp
    TO portal_runtime;

    -- Triggers of the owner's hold an event to the head, and the head to the last event.
    GRANT SELECT, INSERT ON portal_auditevent TO portal_runtime;
    GRANT SELECT, UPDATE ON portal_audithead TO portal_runtime;

    GRANT SELECT, INSERT, UPDATE, DELETE ON
        account_emailaddress,
        account_emailconfirmation,
        django_admin_log,
        django_session,
        mfa_authenticator,
        portal_accountmail,
        portal_clock,
        portal_connection,
        portal_failedsignins,
        portal_grant,
        portal_groupright,
        portal_handover,
        portal_heartbeat,
        portal_leadmail,
        portal_limituse,
        portal_listedtoken,
        portal_lostmail,
        portal_membership,
        portal_notice,
        portal_passwordmail,
        portal_provisionedperson,
        portal_scimgroup,
        portal_scimgroupmember,
        portal_persongroup,
        portal_providersession,
        portal_serviceaccount,
        portal_spentassertion,
        portal_tally,
        portal_team,
        portal_token,
        portal_tokenplace,
        portal_unwantedmail,
        portal_user,
        portal_usersession,
        portal_webhook,
        portal_webhookdelivery,
        portal_workspace,
        socialaccount_socialaccount,
        socialaccount_socialtoken
    TO portal_runtime;
END
$$;
