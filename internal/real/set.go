package real

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// MachineSet is a number of machines on one bridge, which can reach each other,
// this machine, and whatever this machine can reach.
type MachineSet struct {
	Machines []*Machine
	Bridge   string // the bridge's name on this machine
	Gateway  string // this machine's address on it

	claim *os.File
	state setState
}

// setState is what is needed to remove a set. It is saved before anything is
// created, in a file that the owner keeps locked while it is alive.
type setState struct {
	Net      int    // 172.31.Net.0/24
	Dir      string // contains the machines' directories
	Machines int    // how many
	Cgroups  string // directory in the cgroup2 file system
}

// registry has a file for each set on this machine. Like the networks that the
// files describe, it is gone after a reboot.
const registry = "/run/lab-real"

func (s setState) bridge() string       { return fmt.Sprintf("lab%d", s.Net) }
func (s setState) subnet() string       { return fmt.Sprintf("172.31.%d.0/24", s.Net) }
func (s setState) host(i int) string    { return fmt.Sprintf("172.31.%d.%d", s.Net, 10+i) }
func (s setState) gateway() string      { return fmt.Sprintf("172.31.%d.1", s.Net) }
func (s setState) netns(i int) string   { return fmt.Sprintf("lab%d-%d", s.Net, i) }
func (s setState) veth(i int) string    { return fmt.Sprintf("lab%dv%d", s.Net, i) }
func (s setState) machine(i int) string { return filepath.Join(s.disk(), fmt.Sprintf("pi%d", i)) }
func (s setState) disk() string         { return filepath.Join(s.Dir, "disk") }
func (s setState) cgroup(i int) string  { return filepath.Join(s.Cgroups, s.netns(i)) }
func (s setState) claimFile() string    { return filepath.Join(registry, fmt.Sprintf("%d.set", s.Net)) }
func (s setState) forwarding() [3][]string {
	return [3][]string{
		{"-t", "nat", "POSTROUTING", "-s", s.subnet(), "!", "-o", s.bridge(), "-j", "MASQUERADE"},
		{"-t", "filter", "FORWARD", "-i", s.bridge(), "-j", "ACCEPT"},
		{"-t", "filter", "FORWARD", "-o", s.bridge(), "-j", "ACCEPT"},
	}
}

// Boot boots n machines, 1 to 200, with their disks in dir, which is created if it
// does not exist. It returns when systemd has finished booting in each. The
// network is the first free one of 172.31.1.0/24 to 172.31.250.0/24.
//
// The machines are stopped when this process ends. What a killed process leaves
// behind is removed by the next Boot of any process. [MachineSet.Close] removes
// everything but the file system image in the cache; IPv4 forwarding stays on.
func Boot(ctx context.Context, dir string, n int) (_ *MachineSet, err error) {
	if n < 1 || n > 200 {
		return nil, fmt.Errorf("boot %d machines: not 1 to 200", n)
	}
	if what := machinesNeed(); what != "" {
		return nil, fmt.Errorf("boot machines: needs %s", what)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	base, err := image(ctx)
	if err != nil {
		return nil, err
	}
	cgroups, err := cgroupRoot()
	if err != nil {
		return nil, err
	}
	set, err := claimSet(ctx, setState{Dir: dir, Machines: n, Cgroups: cgroups})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, set.Close())
		}
	}()
	if err := set.build(ctx, base); err != nil {
		return nil, err
	}
	for _, m := range set.Machines {
		if err := m.boot(); err != nil {
			return nil, fmt.Errorf("boot %s: %w", m.Name, err)
		}
	}
	for _, m := range set.Machines {
		if err := m.ready(ctx, ""); err != nil {
			return nil, fmt.Errorf("%w\nits console:\n%s", err, m.Console())
		}
	}
	return set, nil
}

// Close stops the machines immediately and removes everything that was created for
// them. If it fails, it can be called again.
func (s *MachineSet) Close() error {
	if s.claim == nil {
		return nil
	}
	// Unmounting an overlay syncs the disk below it, which other processes write to.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, m := range s.Machines {
		if err := m.end(ctx, syscall.SIGKILL); err != nil {
			return err
		}
	}
	err := s.state.teardown(ctx)
	if err == nil {
		err = os.Remove(s.state.claimFile())
	}
	err = errors.Join(err, s.claim.Close())
	s.claim = nil
	return err
}

// build creates the network and the machines, ready to boot.
func (s *MachineSet) build(ctx context.Context, base string) error {
	st := s.state
	if err := st.makeNetwork(ctx); err != nil {
		return err
	}
	if err := st.makeDisk(ctx); err != nil {
		return err
	}
	key, err := newKey(filepath.Join(st.Dir, "id_pi"))
	if err != nil {
		return err
	}
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1\tlocalhost\n")
	for i := 1; i <= st.Machines; i++ {
		fmt.Fprintf(&hosts, "%s\tpi%d\n", st.host(i), i)
	}
	for i := 1; i <= st.Machines; i++ {
		m := &Machine{
			Name: fmt.Sprintf("pi%d", i), Host: st.host(i), Addr: net.JoinHostPort(st.host(i), "22"), Gateway: st.gateway(),
			User: "pi", Key: key, KeyFile: filepath.Join(st.Dir, "id_pi"),
			dir: st.machine(i), Root: filepath.Join(st.machine(i), "root"), netns: st.netns(i), cgroup: st.cgroup(i),
		}
		if err := m.build(ctx, st, i, base, hosts.String()); err != nil {
			return fmt.Errorf("create %s: %w", m.Name, err)
		}
		s.Machines = append(s.Machines, m)
	}
	return nil
}

// teardown removes everything that belongs to the set, as far as it exists.
func (s setState) teardown(ctx context.Context) error {
	var errs []error
	for i := 1; i <= s.Machines; i++ {
		errs = append(errs, killCgroup(ctx, s.cgroup(i)), removeCgroup(s.cgroup(i)))
		errs = append(errs, unmount(ctx, filepath.Join(s.machine(i), "root")))
		// The kernel destroys a namespace some time after its name is removed. Until
		// then the next set could not have an interface of the same name.
		errs = append(errs, removeLink(ctx, s.veth(i)))
		if ns := s.netns(i); exists("/run/netns/" + ns) {
			errs = append(errs, run(ctx, "ip", "netns", "del", ns))
		}
		errs = append(errs, detach(ctx, filepath.Join(s.machine(i), "disk.img")))
	}
	if findBinary("iptables") != "" {
		for _, r := range s.forwarding() {
			for iptables(ctx, "-C", r) == nil {
				if err := iptables(ctx, "-D", r); err != nil {
					errs = append(errs, err)
					break
				}
			}
		}
	}
	errs = append(errs, removeLink(ctx, s.bridge()))
	if err := errors.Join(errs...); err != nil {
		return err // do not remove what may still be mounted
	}
	if err := unmount(ctx, s.disk()); err != nil {
		return err
	}
	// The caller may have other files in the directory, which are kept.
	for _, name := range []string{"disk", "disk.img", "id_pi", "id_pi.pub"} {
		path := filepath.Join(s.Dir, name)
		if os.RemoveAll(path) == nil {
			continue
		}
		_ = run(ctx, "chattr", "-R", "-i", "-a", path) // tests make mount points immutable
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	if err := os.Remove(s.Dir); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}
