package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func newCond(mu *sync.Mutex) *sync.Cond { return sync.NewCond(mu) }

// sysctlDefaults are the kernel's parameters that this machine has, with what they are after boot.
var sysctlDefaults = map[string]string{
	"fs/aio-max-nr": "65536", "fs/file-max": "9223372036854775807", "fs/inotify/max_queued_events": "16384",
	"fs/inotify/max_user_instances": "128", "fs/inotify/max_user_watches": "59718", "fs/nr_open": "1048576",
	"fs/protected_hardlinks": "1", "fs/protected_symlinks": "1", "fs/protected_regular": "2", "fs/protected_fifos": "1",
	"fs/suid_dumpable": "0", "kernel/keys/root_maxbytes": "25000000", "kernel/keys/root_maxkeys": "1000000",
	"kernel/panic": "0", "kernel/panic_on_oops": "0", "kernel/pid_max": "32768", "kernel/printk": "3\t4\t1\t3",
	"kernel/sysrq": "438", "kernel/threads-max": "62862", "kernel/dmesg_restrict": "0", "kernel/kptr_restrict": "0",
	"kernel/randomize_va_space": "2", "kernel/unprivileged_bpf_disabled": "2", "kernel/yama/ptrace_scope": "0",
	"net/core/somaxconn": "4096", "net/core/rmem_max": "212992", "net/core/wmem_max": "212992",
	"net/core/netdev_max_backlog": "1000", "net/core/default_qdisc": "pfifo_fast", "net/core/bpf_jit_enable": "1",
	"net/ipv4/ip_forward": "0", "net/ipv4/conf/all/forwarding": "0", "net/ipv4/conf/all/rp_filter": "0",
	"net/ipv4/conf/default/rp_filter": "2", "net/ipv4/conf/all/accept_redirects": "0",
	"net/ipv4/conf/all/send_redirects": "1", "net/ipv4/ip_local_port_range": "32768\t60999",
	"net/ipv4/ping_group_range": "0\t2147483647", "net/ipv4/ip_unprivileged_port_start": "1024",
	"net/ipv4/tcp_syncookies": "1", "net/ipv4/tcp_fin_timeout": "60", "net/ipv4/tcp_keepalive_time": "7200",
	"net/ipv4/tcp_congestion_control": "cubic", "net/ipv4/tcp_max_syn_backlog": "512",
	"net/ipv4/neigh/default/gc_thresh1": "128", "net/ipv4/neigh/default/gc_thresh2": "512",
	"net/ipv4/neigh/default/gc_thresh3": "1024", "net/ipv6/conf/all/forwarding": "0",
	"net/ipv6/conf/default/forwarding": "0", "net/ipv6/conf/all/disable_ipv6": "0",
	"net/ipv6/conf/default/disable_ipv6": "0", "net/ipv6/conf/all/accept_ra": "1",
	"net/ipv6/conf/default/accept_ra": "1", "net/ipv6/conf/eth0/accept_ra": "1", "user/max_user_namespaces": "31431",
	"vm/dirty_background_ratio": "10", "vm/dirty_ratio": "20", "vm/max_map_count": "65530",
	"vm/min_free_kbytes": "16384", "vm/overcommit_memory": "0", "vm/overcommit_ratio": "50", "vm/panic_on_oom": "0",
	"vm/swappiness": "60", "vm/vfs_cache_pressure": "100", "vm/nr_hugepages": "0",
}

// moduleSysctls appear when a module is loaded.
var moduleSysctls = map[string]map[string]string{
	"br_netfilter": {"net/bridge/bridge-nf-call-iptables": "1", "net/bridge/bridge-nf-call-ip6tables": "1",
		"net/bridge/bridge-nf-call-arptables": "1"},
	"nf_conntrack": {"net/netfilter/nf_conntrack_max": "262144",
		"net/netfilter/nf_conntrack_tcp_timeout_established": "432000"},
}

// KnownModules can be loaded; the list names what labs load.
var KnownModules = []string{"iscsi_tcp", "libiscsi", "br_netfilter", "overlay", "nf_conntrack", "vxlan", "wireguard",
	"ip_tables", "iptable_nat", "ip6_tables", "xt_conntrack", "xt_MASQUERADE", "dm_crypt", "dm_mod", "dm_thin_pool",
	"nfs", "nfsd", "nfsv4", "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "tun", "zram", "bcm2835_v4l2", "i2c_dev",
	"cifs", "btrfs", "xfs", "fuse", "loop", "dummy", "rbd", "nbd", "snd_bcm2835", "uio", "ip_set", "bridge"}

// normalSysctl is what the kernel makes of a value: a number in decimal, several numbers with tabs between.
func normalSysctl(key, v string) (string, error) {
	v = strings.TrimSpace(v)
	def := sysctlDefaults[key]
	if strings.Contains(def, "\t") {
		return strings.Join(strings.Fields(v), "\t"), nil
	}
	if key == "kernel/sysrq" {
		n, err := strconv.ParseInt(v, 0, 64)
		if err != nil {
			return "", syscall.EINVAL
		}
		return strconv.FormatInt(n, 10), nil
	}
	if _, err := strconv.ParseInt(def, 10, 64); err == nil {
		n, err := strconv.ParseInt(v, 0, 64)
		if err != nil {
			return "", syscall.EINVAL
		}
		return strconv.FormatInt(n, 10), nil
	}
	return v, nil
}

func (k *Kernel) sysctl(key, def string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v, ok := k.sysctls[key]; ok {
		return v
	}
	return def
}

func (k *Kernel) SetSysctl(key, v string) error {
	v, err := normalSysctl(key, v)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sysctls[key] = v
	switch key {
	case "net/ipv4/ip_forward":
		k.sysctls["net/ipv4/conf/all/forwarding"] = v
	case "net/ipv4/conf/all/forwarding":
		k.sysctls["net/ipv4/ip_forward"] = v
	case "net/ipv6/conf/all/forwarding":
		k.sysctls["net/ipv6/conf/default/forwarding"] = v
	}
	return nil
}

func (k *Kernel) Loaded(mod string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.modules[mod]
}

func text(f func(k *Kernel) string) *node {
	return &node{read: func(k *Kernel, _ *Process) []byte { return []byte(f(k)) }}
}

// procImage is /proc.
func procImage() *Image {
	b := NewBuilder()
	root := b.im.inodes[1]
	root.Mode = ModeDir | 0o555
	root.node = &node{
		list: func(m *Kernel) []string {
			m.procMu.Lock()
			defer m.procMu.Unlock()
			out := []string{"1"}
			for pid := range m.procs {
				out = append(out, strconv.Itoa(pid))
			}
			return out
		},
		look: procDir,
	}
	addSysctls(b)
	addProcSystem(b)
	addProcMounts(b)
	addDeviceTree(b)
	return b.Image()
}

// addSysctls adds /proc/sys.
func addSysctls(b *Builder) {
	sysctl := func(key, def string, when func(*Kernel) bool) {
		i := b.gen("/sys/"+key, 0o644, &node{
			read:  func(m *Kernel, _ *Process) []byte { return []byte(m.sysctl(key, def) + "\n") },
			write: func(m *Kernel, _ *Process, v []byte) error { return m.SetSysctl(key, string(v)) },
			when:  when,
			once:  strings.Trim(def, "0123456789\t") == "",
		})
		i.Attrs = 0
	}
	for _, k := range slices.Sorted(maps.Keys(sysctlDefaults)) {
		sysctl(k, sysctlDefaults[k], nil)
	}
	for mod, keys := range moduleSysctls {
		when := func(m *Kernel) bool { return m.Loaded(mod) }
		for k, v := range keys {
			sysctl(k, v, when)
			for dir := k; strings.Count(dir, "/") > 1; {
				dir, _ = splitPath(dir)
				b.Dir("/sys/"+dir, 0).node = &node{when: when}
			}
		}
	}
	b.gen("/sys/kernel/hostname", 0o644, &node{
		read: func(m *Kernel, _ *Process) []byte { return []byte(m.Hostname() + "\n") },
		write: func(m *Kernel, _ *Process, v []byte) error {
			m.mu.Lock()
			m.hostname = strings.TrimSpace(string(v))
			m.mu.Unlock()
			return nil
		},
	})
	b.gen("/sys/kernel/osrelease", 0o444, text(func(m *Kernel) string { return m.Config.Release + "\n" }))
	b.gen("/sys/kernel/ostype", 0o444, text(func(m *Kernel) string { return "Linux\n" }))
	b.gen("/sys/kernel/random/boot_id", 0o444, text(func(m *Kernel) string { return m.BootID() + "\n" }))
	b.gen("/sys/kernel/random/uuid", 0o444, text(func(m *Kernel) string { return NewUUID() + "\n" }))
}

// addProcSystem adds what tells of the machine and its kernel.
func addProcSystem(b *Builder) {
	b.gen("/cmdline", 0o444, text(func(m *Kernel) string {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.cmdline + "\n"
	}))
	b.gen("/uptime", 0o444, text(func(m *Kernel) string {
		up := m.Uptime().Seconds()
		return fmt.Sprintf("%.2f %.2f\n", up, up*float64(m.Config.CPUs)*0.97)
	}))
	b.gen("/loadavg", 0o444, text(func(m *Kernel) string { return "0.08 0.03 0.01 1/189 1042\n" }))
	b.gen("/net/tcp", 0o444, text(func(m *Kernel) string { return m.procTCP() }))
	b.gen("/version", 0o444, text(func(m *Kernel) string {
		return "Linux version " + m.Config.Release + " (serge@raspberrypi.com) (aarch64-linux-gnu-gcc) #1 SMP PREEMPT\n"
	}))
	b.gen("/meminfo", 0o444, text(func(m *Kernel) string {
		kb := m.Config.Memory >> 10
		return fmt.Sprintf("MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\n"+
			"Buffers:        %8d kB\nCached:         %8d kB\nSwapTotal:      %8d kB\nSwapFree:       %8d kB\n",
			kb, kb*7/10, kb*9/10, kb/100, kb/6, m.swapTotal()>>10, m.swapTotal()>>10)
	}))
	b.gen("/cpuinfo", 0o444, text(func(m *Kernel) string {
		var s strings.Builder
		for i := range m.Config.CPUs {
			fmt.Fprintf(&s, "processor\t: %d\nBogoMIPS\t: 108.00\n\n", i)
		}
		if m.Config.Model != "-" {
			s.WriteString("Revision\t: d04170\nModel\t\t: " + m.Config.Model + "\n")
		}
		return s.String()
	}))
	b.gen("/filesystems", 0o444, text(func(m *Kernel) string {
		return "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n\text4\n\tvfat\n"
	}))
	b.gen("/modules", 0o444, text(func(m *Kernel) string {
		var s strings.Builder
		for _, mod := range m.ModuleList() {
			s.WriteString(mod + " 16384 0 - Live 0x0000000000000000\n")
		}
		return s.String()
	}))
	b.gen("/cgroups", 0o444, text(func(m *Kernel) string {
		s := "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"
		for _, c := range []string{"cpuset", "cpu", "cpuacct", "blkio", "memory", "devices", "freezer", "net_cls",
			"perf_event", "net_prio", "pids"} {
			on := 1
			if c == "memory" && !m.memoryCgroup() {
				on = 0
			}
			s += fmt.Sprintf("%s\t0\t64\t%d\n", c, on)
		}
		return s
	}))
}

func addProcMounts(b *Builder) {
	mounts := text(func(m *Kernel) string { return m.procMounts() })
	b.gen("/self/mounts", 0o444, mounts)
	b.gen("/self/mountinfo", 0o444, text(func(m *Kernel) string { return m.mountinfo() }))
	b.Dir("/self/fd", 0o500)
	b.Link("/mounts", "self/mounts")
	b.gen("/swaps", 0o444, text(func(m *Kernel) string { return m.procSwaps() }))
	b.gen("/partitions", 0o444, text(func(m *Kernel) string { return m.procPartitions() }))
}

// addDeviceTree adds what a Raspberry Pi tells of its model.
func addDeviceTree(b *Builder) {
	dt := func(m *Kernel) bool { return m.Config.Model != "-" }
	b.Dir("/device-tree", 0o755).node = &node{when: dt}
	model := text(func(m *Kernel) string { return m.Config.Model + "\x00" })
	b.gen("/device-tree/model", 0o444, model)
	b.gen("/device-tree/compatible", 0o444, text(func(m *Kernel) string {
		return "raspberrypi,5-model-b\x00brcm,bcm2712\x00"
	}))
}

func (k *Kernel) Uptime() time.Duration {
	k.mu.Lock()
	b := k.BootTime
	k.mu.Unlock()
	return k.Now().Sub(b)
}

// memoryCgroup follows the Raspberry Pi's firmware and kernel: memory is off unless the command line asks for it.
func (k *Kernel) memoryCgroup() bool {
	if k.Config.Model == "-" {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	on := false
	for tok := range strings.FieldsSeq(k.cmdline) {
		switch tok {
		case "cgroup_disable=memory":
			on = false
		case "cgroup_enable=memory":
			on = true
		}
	}
	return on
}

// procDir makes /proc/PID on demand, with files that each read the process anew.
func procDir(k *Kernel, name string) *Inode {
	pid, ok := ParseUint(name)
	if !ok {
		return nil
	}
	args, comm, ppid, uid, gid := []string{"/sbin/init"}, "systemd", 0, uint32(0), uint32(0)
	var env []string
	if pid != 1 {
		k.procMu.Lock()
		p := k.procs[int(pid)]
		if p != nil {
			ppid = p.PPID
		}
		k.procMu.Unlock()
		if p == nil {
			return nil
		}
		p.mu.Lock()
		args, env, uid, gid = p.Args, p.Env, p.UID, p.GID
		p.mu.Unlock()
		comm = p.Comm()
	}
	dir := &Inode{Mode: ModeDir | 0o555, UID: uid, GID: gid, Nlink: 2, Children: map[string]uint32{}}
	files := map[string]string{
		"cmdline": strings.Join(args, "\x00") + "\x00",
		"comm":    comm + "\n",
		"environ": strings.Join(env, "\x00") + "\x00",
		"status": fmt.Sprintf("Name:\t%s\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n"+
			"Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\n", comm, pid, pid, ppid, uid, uid, uid, uid, gid, gid, gid,
			gid),
		"stat": fmt.Sprintf("%d (%s) S %d %d %d 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n", pid, comm, ppid, pid,
			pid),
	}
	dir.node = &node{
		list: func(*Kernel) []string { return slices.Sorted(maps.Keys(files)) },
		look: func(_ *Kernel, f string) *Inode {
			s, ok := files[f]
			if !ok {
				return nil
			}
			mode := uint32(0o444)
			if f == "environ" {
				mode = 0o400
			}
			return &Inode{Mode: ModeRegular | mode, UID: uid, GID: gid, Nlink: 1,
				node: &node{read: func(*Kernel, *Process) []byte { return []byte(s) }}}
		},
	}
	return dir
}

func (p *Process) Comm() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.Exe[strings.LastIndexByte(p.Exe, '/')+1:]
	if len(c) > 15 {
		c = c[:15]
	}
	return c
}

func (k *Kernel) ModuleList() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.modules))
}

func sysImage() *Image {
	b := NewBuilder()
	b.im.inodes[1].Mode = ModeDir | 0o555
	for _, d := range []string{"/block", "/bus", "/class/net/eth0", "/class/net/lo", "/devices", "/firmware",
		"/fs/cgroup", "/kernel", "/power"} {
		b.Dir(d, 0)
	}
	b.File("/class/net/eth0/address", 0o444, "2c:cf:67:00:00:01\n")
	b.File("/class/net/eth0/operstate", 0o444, "up\n")
	b.Dir("/module", 0).node = &node{
		list: func(k *Kernel) []string { return k.ModuleList() },
		look: func(k *Kernel, name string) *Inode {
			if !k.Loaded(name) {
				return nil
			}
			return &Inode{Mode: ModeDir | 0o755, Nlink: 2, Children: map[string]uint32{}, node: &node{
				list: func(*Kernel) []string { return []string{"initstate"} },
				look: func(_ *Kernel, f string) *Inode {
					if f != "initstate" {
						return nil
					}
					return &Inode{Mode: ModeRegular | 0o444, Nlink: 1,
						node: text(func(*Kernel) string { return "live\n" })}
				},
			}}
		},
	}
	b.Dir("/block", 0).node = blockSysfs()
	b.Dir("/firmware/devicetree/base", 0).node = &node{when: func(k *Kernel) bool { return k.Config.Model != "-" }}
	b.gen("/firmware/devicetree/base/model", 0o444, text(func(k *Kernel) string { return k.Config.Model + "\x00" }))
	return b.Image()
}

func cgroupImage() *Image {
	b := NewBuilder()
	b.im.inodes[1].Mode = ModeDir | 0o555
	controllers := text(func(k *Kernel) string {
		if k.memoryCgroup() {
			return "cpuset cpu io memory pids\n"
		}
		return "cpuset cpu io pids\n"
	})
	b.gen("/cgroup.controllers", 0o444, controllers)
	b.gen("/cgroup.subtree_control", 0o644, controllers)
	b.gen("/cgroup.procs", 0o644, text(func(k *Kernel) string { return "1\n" }))
	return b.Image()
}

func devImage() *Image {
	b := NewBuilder()
	for _, d := range []struct {
		name string
		mode uint32
		rdev uint32
	}{{"null", 0o666, 0x103}, {"zero", 0o666, 0x105}, {"full", 0o666, 0x107}, {"random", 0o666, 0x108},
		{"urandom", 0o666, 0x109}, {"tty", 0o666, 0x500}, {"console", 0o600, 0x501}, {"kmsg", 0o644, 0x10b}} {
		i := b.put("/"+d.name, ModeChar|d.mode)
		i.rdev, i.node = d.rdev, &node{dev: d.name}
	}
	b.Link("/fd", "/proc/self/fd")
	b.Link("/stdin", "/proc/self/fd/0")
	b.Link("/stdout", "/proc/self/fd/1")
	b.Link("/stderr", "/proc/self/fd/2")
	b.Dir("/shm", 0o1777)
	b.Dir("/pts", 0)
	return b.Image()
}

// images are the file systems that the kernel makes. They are built once and never change.
type images struct{ proc, sys, dev, cgroup *Image }

var kernelImages = sync.OnceValue(func() images {
	return images{procImage(), sysImage(), devImage(), cgroupImage()}
})
