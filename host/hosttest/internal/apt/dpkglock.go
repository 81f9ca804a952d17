package apt

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// lockPath takes a lock file for as long as the process lives. It says who holds it when somebody does.
func lockPath(p *kernel.Process, name string) (holder *kernel.Process, err error) {
	d, err := p.Open(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if p.Kernel.Tree.Flock(d, true) {
		p.Hold(d)
		return nil, nil
	}
	d.Release()
	for _, q := range p.Kernel.Processes() {
		if q.HoldsLock(name) {
			return q, syscall.EAGAIN
		}
	}
	return nil, syscall.EAGAIN
}

const (
	frontendLock = "/var/lib/dpkg/lock-frontend"
	databaseLock = "/var/lib/dpkg/lock"
)

// lockDpkg takes dpkg's locks until the process ends. The text says why it could not.
func lockDpkg(p *kernel.Process) (release func(), busy string) {
	release = func() {}
	if FaultsOf(p.Kernel).locked() {
		return release, "dpkg frontend lock was locked by another process with pid " + strconv.Itoa(lockerPID) + lockAdvice
	}
	locks := []string{frontendLock, databaseLock}
	what := []string{"dpkg frontend lock", "dpkg database lock"}
	if p.Getenv("DPKG_FRONTEND_LOCKED") != "" {
		locks, what = locks[1:], what[1:]
	}
	for i, name := range locks {
		switch holder, err := lockPath(p, name); {
		case err == nil:
		case holder != nil:
			return release, fmt.Sprintf("%s was locked by another process with pid %d%s", what[i], holder.PID, lockAdvice)
		default:
			return release, fmt.Sprintf("unable to lock %s: %s", what[i], kernel.Strerror(err))
		}
	}
	return release, ""
}

const lockAdvice = "\nNote: removing the lock file is always wrong, can damage the locked area\n" +
	"and the entire system. See <https://wiki.debian.org/Teams/Dpkg/FAQ#db-lock>."

// journalFile is what a dpkg that is interrupted leaves behind: apt-get refuses to work until dpkg --configure -a.
const journalFile = "/var/lib/dpkg/updates/0000"

// journaled runs a change of dpkg's database, whose steps are notes.
func journaled(p *kernel.Process, f func() int) int {
	code := f()
	if err := p.Unlink(journalFile); err != nil && err != syscall.ENOENT {
		p.Flush()
		p.Warnf("dpkg: error: failed to remove incorporated update file %s: %s\n", journalFile, kernel.Strerror(err))
		return 2
	}
	return code
}
