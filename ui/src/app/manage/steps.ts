import type { Managed } from './model'

/** What can be done with a notification that asks first. */
export type Step = 'send' | 'schedule' | 'cancel' | 'delete'

/** What can be done with one as it stands. */
export function stepsOf({ status }: Managed): readonly Step[] {
  switch (status) {
    case 'draft':
      return ['send', 'schedule', 'delete']
    case 'scheduled':
      return ['send', 'schedule', 'cancel', 'delete']
    case 'sending':
    case 'sent':
      return ['cancel', 'delete']
    case 'cancelled':
      return ['delete']
  }
}

/** What a step is called for one as it stands. */
export function stepWord(step: Step, { status }: Managed): string {
  switch (step) {
    case 'send':
      return 'Send now'
    case 'schedule':
      return status === 'scheduled' ? 'Change the time' : 'Schedule'
    case 'cancel':
      return status === 'scheduled' ? 'Cancel' : 'Take back'
    case 'delete':
      return 'Delete'
  }
}

/** Whether its content can still be changed. */
export function isOpen({ status }: Managed): boolean {
  return status === 'draft' || status === 'scheduled'
}
