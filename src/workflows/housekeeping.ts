import { crm, local } from './activities.ts'

/** O6, hourly: health of the connections, weekly key sweeps, expiry. */
export async function housekeeping(): Promise<{ checked: number; failing: number; sweeps: number; expired: number }> {
  const { checked, failing } = await crm.checkHealth.executeWithOptions({ summary: 'health of the connections' }, [])
  const { started } = await local.startDueSweeps.executeWithOptions({ summary: 'weekly key sweeps' }, [])
  const { entries } = await local.expire.executeWithOptions({ summary: 'expiry' }, [])
  return { checked, failing, sweeps: started, expired: entries }
}
