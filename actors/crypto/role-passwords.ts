/** The database roles that log in, and a password for each. */
export type RolePasswords = Readonly<Record<'vello_api' | 'vello_service' | 'vello_operator', string>>;
