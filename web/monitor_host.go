package web

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"time"

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

// hostIndicators reads the machine that this process runs on, with what cannot be known there.
func (s *Server) hostIndicators(ctx context.Context) (all []views.Indicator, gaps []views.Gap) {
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
	} else {
		gaps = append(gaps, views.Gap{Key: "swap"})
	}
	all = append(append(all, diskIndicators(ctx)...), processIndicators(ctx)...)
	folders := []string{s.config.DataDir, filepath.Join(s.config.DataDir, "data")}
	if s.config.DataDir == "" {
		folders = nil
	}
	if own, err := os.Getwd(); err == nil {
		folders = append([]string{own}, folders...)
	}
	more, unknown := kernel("/proc").indicators(folders...)
	all, gaps = append(all, more...), append(gaps, unknown...)
	if log := s.config.RawLog; log != nil {
		_, dropped, _ := log.Counts()
		all = append(all, views.Indicator{Key: "dropped", Current: float64(dropped), Warning: 1, Alert: 1000})
	}
	return all, gaps
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

// processIndicators count the processes of the machine that this one may see, those older than one day and the zombies
// among them, and the open files of this process against its limit.
func processIndicators(ctx context.Context) []views.Indicator {
	var all []views.Indicator
	if processes, err := process.ProcessesWithContext(ctx); err == nil {
		zombies, old, yesterday := 0, 0, time.Now().Add(-24*time.Hour).UnixMilli()
		for _, one := range processes {
			if began, err := one.CreateTimeWithContext(ctx); err == nil && began < yesterday {
				old++
			}
			if status, err := one.StatusWithContext(ctx); err == nil && len(status) > 0 && status[0] == process.Zombie {
				zombies++
			}
		}
		most := kernel("/proc").mostProcesses()
		all = append(all, within("processes", "", float64(len(processes)), most, views.UnitNone), within("old_processes", "", float64(old), most, views.UnitNone),
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
func databaseIndicators(v db.Vitals) (all []views.Indicator, gaps []views.Gap) {
	all = []views.Indicator{
		within("connections", "", float64(v.Connections), float64(v.MaxConnections), views.UnitNone),
		{Key: "transaction", Current: v.OldestTransaction.Seconds(), Warning: 3600, Alert: 4 * 3600, Unit: views.UnitSeconds},
		{Key: "dead_rows", Name: v.DeadTable, Current: v.DeadShare * 100, Max: 100, Warning: 20, Alert: 50, Unit: views.UnitShare},
		{Key: "xid", Current: float64(v.OldestXID), Max: float64(v.FreezeMaxAge), Warning: float64(v.FreezeMaxAge) * 1.1,
			Alert: float64(v.FreezeMaxAge) * 2, Unit: views.UnitNone},
		{Key: "size", Current: float64(v.Size), Unit: views.UnitBytes},
	}
	switch {
	case !v.SeesAll:
		gaps = append(gaps, views.Gap{Key: "statistics", Args: []any{v.Role}})
	case v.Replicas > 0:
		all = append(all, views.Indicator{Key: "lag", Current: v.ReplicationLag.Seconds(), Warning: 60, Alert: 300, Unit: views.UnitSeconds})
	default:
		gaps = append(gaps, views.Gap{Key: "lag"})
	}
	return all, gaps
}
