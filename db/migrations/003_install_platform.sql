-- What every installation begins with: rights, groups, built-in operators, security zones and the options of its identity.

INSERT INTO xtk.right (name, label) VALUES
    ('ADMINISTRATION', 'Administration'),
    ('APPROVAL ADMINISTRATION', 'Approval administration'),
    ('CENTRAL', 'Central management'),
    ('DELETE FOLDER', 'Delete folders'),
    ('EDIT FOLDERS', 'Edit folders'),
    ('EXPORT', 'Export'),
    ('FILES ACCESS', 'Access to files'),
    ('IMPORT', 'Import'),
    ('INSERT FOLDERS', 'Insert folders'),
    ('LOCAL', 'Local management'),
    ('MERGE', 'Merge'),
    ('PREPARE DELIVERIES', 'Prepare deliveries'),
    ('PRIVACY DATA RIGHT', 'Privacy data'),
    ('PROGRAM EXECUTION', 'Program execution'),
    ('RECIPIENT IMPORT', 'Import of recipients'),
    ('SQL SCRIPT EXECUTION', 'SQL script execution'),
    ('START DELIVERIES', 'Start deliveries'),
    ('USE SQL DATA MANAGEMENT ACTIVITY', 'SQL data management activity'),
    ('WORKFLOW', 'Workflow execution'),
    ('WEBAPP', 'Web applications');

INSERT INTO xtk.operator_group (internal_name, label, is_builtin) VALUES
    ('administrators', 'Administrators', true),
    ('deliveryOperators', 'Delivery operators', true),
    ('campaignManagers', 'Campaign managers', true),
    ('contentContributors', 'Content contributors', true),
    ('reportAccess', 'Access to reports', true),
    ('workflowExecution', 'Workflow execution', true),
    ('workflowSupervisors', 'Workflow supervisors', true),
    ('localManagement', 'Local management', true),
    ('centralManagement', 'Central management', true),
    ('offerManagers', 'Offer managers', true),
    ('midSourcing', 'Mid-sourcing submissions', true);

INSERT INTO xtk.right_grant (right_name, group_id)
SELECT held.right_name, g.id
FROM (VALUES
    ('administrators', 'ADMINISTRATION'),
    ('deliveryOperators', 'PREPARE DELIVERIES'),
    ('deliveryOperators', 'START DELIVERIES'),
    ('campaignManagers', 'INSERT FOLDERS'),
    ('campaignManagers', 'WORKFLOW'),
    ('workflowExecution', 'WORKFLOW'),
    ('localManagement', 'LOCAL'),
    ('centralManagement', 'CENTRAL'),
    ('offerManagers', 'INSERT FOLDERS'),
    ('offerManagers', 'EDIT FOLDERS')) AS held (group_name, right_name)
JOIN xtk.operator_group g ON g.internal_name = held.group_name;

-- Zones lie in one another: the inner one admits fewer people and trusts them more.
INSERT INTO xtk.security_zone (internal_name, label, networks) VALUES
    ('public', 'Public network', '{0.0.0.0/0,::/0}');
INSERT INTO xtk.security_zone (internal_name, label, parent_id)
SELECT 'vpn', 'Private network (VPN)', id FROM xtk.security_zone WHERE internal_name = 'public';
INSERT INTO xtk.security_zone (internal_name, label, parent_id, show_errors, networks)
SELECT 'lan', 'Local network', id, true, '{10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/16,fc00::/7,::1/128}'
FROM xtk.security_zone WHERE internal_name = 'vpn';

-- Operators that the platform itself acts as. Without a password nobody signs in as one of them.
INSERT INTO xtk.operator (login, label, forbid_console, is_builtin, security_zone_id)
SELECT built_in.login, built_in.label, built_in.forbid_console, true, z.id
FROM (VALUES
    ('admin', 'Administrator', false),
    ('billing', 'Billing', true),
    ('monitoring', 'Monitoring', true),
    ('webapp', 'Web applications', true)) AS built_in (login, label, forbid_console)
JOIN xtk.security_zone z ON z.internal_name = 'public';
INSERT INTO xtk.operator_group_member (group_id, operator_id)
SELECT g.id, o.id FROM xtk.operator_group g, xtk.operator o WHERE g.internal_name = 'administrators' AND o.login = 'admin';
INSERT INTO xtk.right_grant (right_name, operator_id)
SELECT 'WEBAPP', id FROM xtk.operator WHERE login = 'webapp';

-- All other options have a default in code and get a row when a person changes them.
INSERT INTO xtk.option (name, data_type, string_value, long_value) VALUES
    ('NmsServer_CustomerId', 'string', '', NULL),
    ('DmRendering_cuid', 'string', '', NULL),
    ('XtkInstanceType', 'string', 'marketing', NULL),
    ('WdbcTimeZone', 'string', 'UTC', NULL);
