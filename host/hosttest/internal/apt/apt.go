package apt

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// An apt is one run of apt-get.
type apt struct {
	p       *kernel.Process
	conf    aptConf
	flags   map[string]bool
	verb    string
	args    []string
	sources []aptSource
	avail   map[string][]candidate
	pins    []aptPin

	install []Package // dependencies first
	from    map[string]candidate
	remove  []string
	named   map[string]bool // what the command line asked for
	unmet   []string
}

// fail prints an error and gives APT's exit code.
func aptFail(p *kernel.Process, format string, a ...any) int {
	p.Flush()
	p.Warnf("E: "+format+"\n", a...)
	return 100
}

// lockerPID is the process that Faults.AptLock pretends.
const lockerPID = 642

// lock takes a lock of APT, and waits for it as DPkg::Lock::Timeout says.
func (a *apt) lock(file, what string) int {
	p := a.p
	seconds, _ := strconv.Atoi(a.conf.get("DPkg::Lock::Timeout"))
	deadline := p.Kernel.Now().Add(time.Duration(seconds) * time.Second)
	told := false
	for {
		var holder *kernel.Process
		err := error(syscall.EAGAIN)
		by := "It is held by process " + strconv.Itoa(lockerPID) + " (unattended-upgr)"
		if file != frontendLock || !FaultsOf(p.Kernel).locked() {
			if holder, err = lockPath(p, file); err == nil {
				return 0
			}
			by = "It is held by process 0"
			if holder != nil {
				by = fmt.Sprintf("It is held by process %d (%s)", holder.PID, holder.Comm())
			}
		}
		if err != syscall.EAGAIN {
			what = strings.Replace(what, "is another process using it?", "are you root?", 1)
			p.Flush()
			p.Warnf("E: Could not open lock file %s - open (%s)\nE: %s\n", file, errnoText(err), what)
			return 100
		}
		if file != frontendLock || seconds >= 0 && !p.Kernel.Now().Before(deadline) {
			p.Flush()
			p.Warnf("E: Could not get lock %s. %s\n"+
				"N: Be aware that removing the lock file is not a solution and may break your system.\nE: %s\n",
				file, by, what)
			return 100
		}
		if !told {
			p.Printf("Waiting for cache lock: Could not get lock %s. %s...\n", file, by)
			p.Flush()
			told = true
		}
		p.Sleep(min(20*time.Millisecond, max(time.Millisecond, deadline.Sub(p.Kernel.Now()))))
	}
}
