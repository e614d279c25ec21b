import type { ReactNode } from 'react'
import { Empty } from '../kit/States'
import { usePageTitle } from '../kit/title'

export default function DashboardPage(): ReactNode {
  usePageTitle('Dashboard')
  return <Empty title="Dashboard" />
}
