package systemd

import (
	"cmp"
	"path"
	"strings"
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

// base is the name without the type.
func (u *unit) base() string { return strings.TrimSuffix(u.name, path.Ext(u.name)) }

// where is the mount point of a mount.
func (u *unit) where() string { return cmp.Or(u.file.get("Mount.Where"), unescapeUnitPath(u.base())) }

// activates is the unit that a timer starts.
func (u *unit) activates() string { return cmp.Or(u.file.get("Timer.Unit"), u.base()+".service") }

// triggers are the names of the units that would start this one.
func (u *unit) triggers() []string {
	return []string{u.base() + ".socket", u.base() + ".path", u.base() + ".timer"}
}
