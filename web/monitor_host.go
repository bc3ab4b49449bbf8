package web

import (
	"context"
	"runtime"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"

	"nightshift/db"
	"nightshift/views"
)

// Limits of an indicator with a maximum, as parts of it, and the fixed one of zombies.
const (
	warnShare  = 0.8
	alertShare = 0.9
	maxZombies = 2
	// loadPerProcessor is the load average that counts as full.
	loadPerProcessor = 2
)

// within is an indicator with a maximum: warned of at 80 %, alerted at 90 %.
func within(key, name string, current, most float64, unit views.Unit) views.Indicator {
	return views.Indicator{Key: key, Name: name, Current: current, Max: most, Warning: most * warnShare, Alert: most * alertShare, Unit: unit}
}

// hostIndicators reads the machine that this process runs on. What cannot be read there is left out.
func hostIndicators(ctx context.Context) []views.Indicator {
	var all []views.Indicator
	if average, err := load.AvgWithContext(ctx); err == nil {
		most := float64(loadPerProcessor * runtime.NumCPU())
		all = append(all, within("load1", "", average.Load1, most, views.UnitNone), within("load5", "", average.Load5, most, views.UnitNone),
			within("load15", "", average.Load15, most, views.UnitNone))
	}
	if memory, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		all = append(all, within("memory", "", float64(memory.Total-memory.Available), float64(memory.Total), views.UnitBytes))
	}
	if swap, err := mem.SwapMemoryWithContext(ctx); err == nil && swap.Total > 0 {
		all = append(all, within("swap", "", float64(swap.Used), float64(swap.Total), views.UnitBytes))
	}
	return append(append(all, diskIndicators(ctx)...), processIndicators(ctx)...)
}

// diskIndicators are the disks of the machine, one each however often it is mounted.
func diskIndicators(ctx context.Context) []views.Indicator {
	parts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil
	}
	if len(parts) == 0 {
		parts = []disk.PartitionStat{{Mountpoint: "/", Device: "/"}} // a container shows no device
	}
	var all []views.Indicator
	seen := map[string]bool{}
	for _, part := range parts {
		usage, err := disk.UsageWithContext(ctx, part.Mountpoint)
		if err != nil || usage.Total == 0 || seen[part.Device] {
			continue
		}
		seen[part.Device] = true
		// What is kept back for root is not there for PostgreSQL.
		all = append(all, within("disk", part.Mountpoint, float64(usage.Used), float64(usage.Used+usage.Free), views.UnitBytes))
	}
	return all
}

// processIndicators count the zombies of the machine, and the open files of this process against its limit.
func processIndicators(ctx context.Context) []views.Indicator {
	var all []views.Indicator
	if processes, err := process.ProcessesWithContext(ctx); err == nil {
		zombies := 0
		for _, one := range processes {
			if status, err := one.StatusWithContext(ctx); err == nil && len(status) > 0 && status[0] == process.Zombie {
				zombies++
			}
		}
		all = append(all, views.Indicator{Key: "processes", Current: float64(len(processes)), Unit: views.UnitNone},
			views.Indicator{Key: "zombies", Current: float64(zombies), Max: maxZombies, Warning: maxZombies, Alert: maxZombies + 1, Unit: views.UnitNone})
	}
	if self, err := process.NewProcessWithContext(ctx, int32(ownPID)); err == nil {
		limits, err := self.RlimitUsageWithContext(ctx, true)
		for _, limit := range limits {
			if err == nil && limit.Resource == process.RLIMIT_NOFILE && limit.Soft > 0 {
				all = append(all, within("files", "", float64(limit.Used), float64(limit.Soft), views.UnitNone))
			}
		}
	}
	return all
}

// databaseIndicators are those of PostgreSQL. A transaction of an hour keeps dead rows from being removed; the age of
// transaction ids counts against where autovacuum steps in by force.
func databaseIndicators(v db.Vitals) []views.Indicator {
	all := []views.Indicator{
		within("connections", "", float64(v.Connections), float64(v.MaxConnections), views.UnitNone),
		{Key: "transaction", Current: v.OldestTransaction.Seconds(), Warning: 3600, Alert: 4 * 3600, Unit: views.UnitSeconds},
		{Key: "dead_rows", Name: v.DeadTable, Current: v.DeadShare * 100, Max: 100, Warning: 20, Alert: 50, Unit: views.UnitShare},
		{Key: "xid", Current: float64(v.OldestXID), Max: float64(v.FreezeMaxAge), Warning: float64(v.FreezeMaxAge) * 1.1,
			Alert: float64(v.FreezeMaxAge) * 2, Unit: views.UnitNone},
		{Key: "size", Current: float64(v.Size), Unit: views.UnitBytes},
	}
	if v.Replicas > 0 {
		all = append(all, views.Indicator{Key: "lag", Current: v.ReplicationLag.Seconds(), Warning: 60, Alert: 300, Unit: views.UnitSeconds})
	}
	return all
}
