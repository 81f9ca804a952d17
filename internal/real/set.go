package real

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// MachineSet is some machines on one bridge, able to reach each other, this
// machine, and what this machine can reach.
type MachineSet struct {
	Machines []*Machine
	Bridge   string // the bridge's name on this machine
	Gateway  string // this machine's address on it

	claim *os.File
	state setState
}

// setState is what it takes to remove a set: it is written down before
// anything is made, under a lock that a live owner holds.
type setState struct {
	Net      int    // 172.31.Net.0/24
	Dir      string // where the machines' folders are
	Machines int    // how many
	Cgroups  string // folder in the cgroup2 file system
}

// registry holds a file for each set on this machine. Like the networks that
// it tells of, it is gone after a reboot.
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

// Boot boots n machines whose disks live in dir, which is made if need be, and
// returns when systemd has finished booting in each. The network is the first
// free one of 172.31.1.0/24 to 172.31.250.0/24. n is 1 to 200.
//
// The machines die with this process. What a killed process leaves behind, the
// next Boot of any process removes. [MachineSet.Close] removes all but the
// file system image in the cache; IPv4 forwarding, once on, stays on.
func Boot(ctx context.Context, dir string, n int) (_ *MachineSet, err error) {
	if n < 1 || n > 200 {
		return nil, fmt.Errorf("boot %d machines: want 1 to 200", n)
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

// Close stops the machines at once and removes everything that was made for
// them. It can be called again.
func (s *MachineSet) Close() error {
	if s.claim == nil {
		return nil
	}
	// Unmounting an overlay syncs the disk below it, which others write to.
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

// claimSet removes the sets of dead owners, takes a free network, and writes
// down what will be made.
func claimSet(ctx context.Context, st setState) (*MachineSet, error) {
	if err := os.MkdirAll(registry, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(registry, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	live, err := removeDead(ctx)
	if err != nil {
		return nil, fmt.Errorf("remove the machines of a process that died: %w", err)
	}
	for _, other := range live {
		if other.Dir == st.Dir {
			return nil, fmt.Errorf("boot machines: the machines of another process live in %s", st.Dir)
		}
	}
	taken, err := localNets()
	if err != nil {
		return nil, err
	}
	for st.Net = 1; st.Net <= 250; st.Net++ {
		if taken(net.ParseIP(st.gateway())) {
			continue
		}
		claim, err := tryLockFile(st.claimFile())
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(st)
		if err == nil {
			_, err = claim.Write(b)
		}
		if err != nil {
			claim.Close()
			return nil, err
		}
		return &MachineSet{claim: claim, state: st, Bridge: st.bridge(), Gateway: st.gateway()}, nil
	}
	return nil, errors.New("no free network in 172.31.0.0/16")
}

// removeDead tears down the sets whose owner's lock is free, and returns the
// others.
func removeDead(ctx context.Context) (live []setState, err error) {
	files, err := filepath.Glob(filepath.Join(registry, "*.set"))
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, file := range files {
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) { // closed in good order just now
			continue
		}
		var st setState
		if err == nil && len(b) > 0 { // empty: it died before it made anything
			err = json.Unmarshal(b, &st)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", file, err))
			continue
		}
		claim, err := tryLockFile(file)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			live = append(live, st)
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(b) > 0 {
			err = st.teardown(ctx)
		}
		if err == nil {
			err = os.Remove(file)
		}
		errs = append(errs, err, claim.Close())
	}
	return live, errors.Join(errs...)
}

// localNets tells whether an address lies in a network of this machine.
func localNets() (func(net.IP) bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	return func(ip net.IP) bool {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.Contains(ip) {
				return true
			}
		}
		return false
	}, nil
}

// build makes the network and the machines, ready to boot.
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
			return fmt.Errorf("make %s: %w", m.Name, err)
		}
		s.Machines = append(s.Machines, m)
	}
	return nil
}

// makeDisk makes the folder of the machines' file systems. An overlay cannot
// hold another overlay's upper layer: there it is a file system in a file.
func (s setState) makeDisk(ctx context.Context) error {
	if err := os.MkdirAll(s.disk(), 0o755); err != nil {
		return err
	}
	kind, err := capture(ctx, "", "stat", "--file-system", "--format=%T", s.disk())
	if err != nil || strings.TrimSpace(kind) != "overlayfs" {
		return err
	}
	img := filepath.Join(s.Dir, "disk.img")
	if err := sparse(img, 32<<30); err != nil {
		return err
	}
	if err := run(ctx, "mkfs.ext4", "-q", "-m0", img); err != nil {
		return err
	}
	return run(ctx, "mount", "-o", "loop", img, s.disk())
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

func (s setState) makeNetwork(ctx context.Context) error {
	for _, c := range [][]string{
		{"link", "add", s.bridge(), "type", "bridge"},
		{"addr", "add", s.gateway() + "/24", "dev", s.bridge()},
		{"link", "set", s.bridge(), "up"},
	} {
		if err := run(ctx, "ip", c...); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0o644); err != nil {
		return err
	}
	if findBinary("iptables") == "" {
		return nil // the machines then reach each other and this machine
	}
	for _, r := range s.forwarding() {
		if err := iptables(ctx, "-I", r); err != nil {
			return err
		}
	}
	return nil
}

// iptables runs a command such as -I on a rule that names its table and chain.
func iptables(ctx context.Context, command string, rule []string) error {
	args := append([]string{"-w", "60", rule[0], rule[1], command}, rule[2:]...)
	return run(ctx, "iptables", args...)
}

// build makes the machine's overlay, disk and network namespace.
func (m *Machine) build(ctx context.Context, st setState, i int, base, hosts string) error {
	for _, d := range append([]string{"up", "work", "root"}, stateDirs...) {
		if err := os.MkdirAll(filepath.Join(m.dir, filepath.Base(d)), 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", base, filepath.Join(m.dir, "up"), filepath.Join(m.dir, "work"))
	if err := run(ctx, "mount", "-t", "overlay", "overlay", "-o", layers, m.Root); err != nil {
		return err
	}
	disk := filepath.Join(m.dir, "disk.img")
	if err := sparse(disk, 1<<30); err != nil {
		return err
	}
	loop, err := capture(ctx, "", "losetup", "--find", "--show", disk)
	if err != nil {
		return err
	}
	m.Disk = strings.TrimSpace(loop)
	ns, veth := st.netns(i), st.veth(i)
	for _, c := range [][]string{
		{"netns", "add", ns},
		{"link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", ns},
		{"link", "set", veth, "master", st.bridge(), "up"},
		{"-n", ns, "link", "set", "lo", "up"},
		{"-n", ns, "addr", "add", m.Host + "/24", "dev", "eth0"},
		{"-n", ns, "link", "set", "eth0", "up"},
		{"-n", ns, "route", "add", "default", "via", st.gateway()},
	} {
		if err := run(ctx, "ip", c...); err != nil {
			return err
		}
	}
	return m.personalise(hosts)
}

// personalise gives the machine its name, host key and authorized keys.
func (m *Machine) personalise(hosts string) error {
	id := make([]byte, 16)
	rand.Read(id)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // machine-id(5): a version 4 UUID
	for name, content := range map[string]string{
		"etc/hostname":    m.Name + "\n",
		"etc/hosts":       hosts,
		"etc/machine-id":  hex.EncodeToString(id) + "\n",
		"etc/resolv.conf": nameservers(),
	} {
		path := filepath.Join(m.Root, name)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // it may be a link
			return err
		}
		if err := writeFile(path, content, 0o644); err != nil {
			return err
		}
	}
	// At certain hours of the day they would hold the locks of apt and dpkg.
	for _, timer := range []string{"apt-daily.timer", "apt-daily-upgrade.timer"} {
		if err := os.Symlink("/dev/null", filepath.Join(m.Root, "etc/systemd/system", timer)); err != nil {
			return err
		}
	}
	host, err := newKey(filepath.Join(m.Root, "etc/ssh/ssh_host_ed25519_key"))
	if err != nil {
		return err
	}
	m.HostKey = host.PublicKey()
	for uid, name := range map[int]string{1000: m.User, 1001: SudoUser} {
		dir := filepath.Join(m.Root, "home", name, ".ssh")
		keys := filepath.Join(dir, "authorized_keys")
		if err := writeFile(keys, string(ssh.MarshalAuthorizedKey(m.Key.PublicKey())), 0o600); err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, uid, uid), os.Chown(keys, uid, uid)); err != nil {
			return err
		}
	}
	return nil
}

// nameservers is a resolv.conf with those of this machine that machines on a
// bridge can reach, too.
func nameservers() string {
	var out strings.Builder
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) == 2 && f[0] == "nameserver" && !strings.HasPrefix(f[1], "127.") && f[1] != "::1" {
				fmt.Fprintf(&out, "nameserver %s\n", f[1])
			}
		}
		if out.Len() > 0 {
			break
		}
	}
	return out.String()
}

// teardown removes what the state tells of, as far as it is there.
func (s setState) teardown(ctx context.Context) error {
	var errs []error
	for i := 1; i <= s.Machines; i++ {
		errs = append(errs, killCgroup(ctx, s.cgroup(i)), removeCgroup(s.cgroup(i)))
		errs = append(errs, unmount(ctx, filepath.Join(s.machine(i), "root")))
		// The kernel destroys a namespace some time after its name is gone, and
		// until then the next set could not have an interface of the same name.
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
	// Nothing else that the caller keeps in the folder is ours to remove.
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

// removeLink removes a network interface of this machine if it is there.
func removeLink(ctx context.Context, name string) error {
	path := "/sys/class/net/" + name
	if !exists(path) {
		return nil
	}
	if err := run(ctx, "ip", "link", "del", name); err != nil && exists(path) {
		return err // else it went with its namespace meanwhile
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// unmount unmounts path if something is mounted there. A file that a test
// still holds open does not hold it up.
func unmount(ctx context.Context, path string) error {
	for exists(path) && run(ctx, "mountpoint", "--quiet", path) == nil {
		if run(ctx, "umount", path) == nil {
			continue
		}
		if err := run(ctx, "umount", "--lazy", path); err != nil {
			return err
		}
	}
	return nil
}

// detach frees the loop devices that hold the file.
func detach(ctx context.Context, file string) error {
	if !exists(file) {
		return nil
	}
	out, err := capture(ctx, "", "losetup", "--noheadings", "--output", "NAME", "--associated", file)
	if err != nil {
		return err
	}
	for _, dev := range strings.Fields(out) {
		if err := run(ctx, "losetup", "--detach", dev); err != nil {
			return err
		}
	}
	return nil
}
