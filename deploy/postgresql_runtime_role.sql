-- What the processes of the portal may do in PostgreSQL when they do not own its tables: everything
-- but changing what the audit log says. Run it as the owner after every migrate; the role exists:
--
--   CREATE ROLE portal_runtime LOGIN PASSWORD '...';
--
-- web, worker and scheduler then connect as portal_runtime, and only migrate as the owner.

-- Before PostgreSQL 15 everybody may make objects here, and who can may have an owner's query use them.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO portal_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO portal_runtime;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO portal_runtime;
REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER ON portal_auditevent FROM portal_runtime;
REVOKE INSERT, DELETE, TRUNCATE, TRIGGER ON portal_audithead FROM portal_runtime;
