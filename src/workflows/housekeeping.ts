import { bulk, local } from './activities.ts'

/** O6, hourly: health of the connections, weekly key sweeps, expiry, alerts that last. */
export async function housekeeping(): Promise<{ checked: number; failing: number; sweeps: number; expired: number }> {
  const { entries } = await local.expire.executeWithOptions({ summary: 'expiry' }, [])
  const { started } = await local.startDueSweeps.executeWithOptions({ summary: 'weekly key sweeps' }, [])
  const { checked, failing } = await bulk.checkHealth.executeWithOptions({ summary: 'health of the connections' }, [])
  await local.tellAlerts.executeWithOptions({ summary: 'alerts that last' }, [])
  return { checked, failing, sweeps: started, expired: entries }
}
