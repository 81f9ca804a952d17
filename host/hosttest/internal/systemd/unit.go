package systemd

import (
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// A unit is what systemd knows of a unit that it has loaded.
type unit struct {
	name     string // Id
	names    []string
	load     string // loaded, not-found, masked, bad-setting
	fragment string
	dropIns  []string
	file     *UnitFile
	stamps   []fileStamp

	active, sub, result string
	invocation          string
	stateChange         time.Time
	inactiveExit        time.Time
	activeEnter         time.Time
	activeExit          time.Time
	inactiveEnter       time.Time
	execStart           time.Time
	execExit            time.Time
	execCode            int // CLD_EXITED 1, CLD_KILLED 2
	execStatus          int
	execPID             int
	Restarts            int
	starts              []time.Time // for the start limit
	proc                *kernel.Process
	ready               chan struct{}
	conditioned         time.Time // when its conditions were checked
	met                 bool      // they were met
	stopping            bool
	next                func() // cancels a pending restart
}
