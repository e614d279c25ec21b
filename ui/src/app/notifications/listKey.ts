/** The first part of the keys under which a manager's lists are kept. */
export const listKey = 'own-notifications'
