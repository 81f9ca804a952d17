package dns

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// realBench is a real Debian, and two name servers in its network.
type realBench struct {
	t       *testing.T
	box     *real.Machine
	machine *host.Machine
	config  Config
	conf    string // of the name servers
	stop    []func()
}

func newRealBench(t *testing.T) *realBench {
	t.Helper()
	dnsmasq(t)
	box := real.Machines(t, 1)[0]
	m := &host.Machine{Target: ssh.Target{Name: "pi2", Address: box.Addr, User: box.User,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.Key}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey))}},
		Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix(box.Host + "/32")}}}}
	t.Cleanup(func() { m.Close() })
	b := &realBench{t: t, box: box, machine: m, config: matrix()}
	b.config.Servers = nil
	link := ""
	gateway := netip.MustParseAddr(box.Gateway)
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == gateway {
				link = i.Name
			}
		}
	}
	for i, last := range []byte{251, 252} {
		a := gateway.As4()
		a[3] = last
		address := netip.AddrFrom4(a)
		if out, err := exec.Command("ip", "addr", "add", address.String()+"/24", "dev", link).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b.config.Servers = append(b.config.Servers, Server{Name: []string{"pi1", "pi3"}[i], Address: address})
	}
	lines, hosts := rendered(t, b.config.PiHole)
	lines = strings.ReplaceAll(lines, "server=127.0.0.1\nserver=127.0.0.2\n", "") // without an Internet
	b.conf = piholeDefaults + lines + "host-record=example.org,203.0.113.7\nhostsdir=" + hostsDir(t, hosts)
	return b
}

// up starts the name servers.
func (b *realBench) up(n int) {
	b.t.Helper()
	for _, s := range b.config.Servers[:n] {
		b.stop = append(b.stop, serveAt(b.t, net.JoinHostPort(s.Address.String(), "53"), b.conf))
	}
}

func (b *realBench) down() {
	for _, stop := range b.stop {
		stop()
	}
	b.stop = nil
}

func (b *realBench) sh(script string) string {
	b.t.Helper()
	r, err := b.machine.Run(b.t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(string(r.Stdout))
}

// apply applies the resolvers' plan, which must leave nothing to do.
func (b *realBench) apply() string {
	b.t.Helper()
	p, err := b.machine.Plan(b.t.Context(), b.config.Resolvers())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := p.Apply(b.t.Context(), nil); err != nil {
		b.t.Fatalf("%v\n%s", err, p)
	}
	b.empty("after an apply")
	return p.String()
}

func (b *realBench) empty(what string) {
	b.t.Helper()
	if p, err := b.machine.Plan(b.t.Context(), b.config.Resolvers()); err != nil || !p.Empty() {
		b.t.Errorf("%s: %v\n%s", what, err, p)
	}
}

func (b *realBench) refused(what, why string) {
	b.t.Helper()
	before := b.sh("cat /etc/resolv.conf")
	_, err := b.machine.Plan(b.t.Context(), b.config.Resolvers())
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), why) || len(lab.Hints(err)) == 0 {
		b.t.Errorf("%s: %v", what, err)
	}
	if after := b.sh("cat /etc/resolv.conf"); after != before {
		b.t.Errorf("%s: it was written:\n%s", what, after)
	}
}

// TestResolversOnMachine flips a real Debian's resolvers to two dnsmasqs, and back when both are gone.
func TestResolversOnMachine(t *testing.T) {
	b := newRealBench(t)
	before := b.sh("cat /etc/resolv.conf")
	b.refused("nobody answers", b.config.Servers[0].Address.String()+" does not say what pi1.arcodange.lab is over UDP")
	b.up(1)
	b.refused("one answers", b.config.Servers[1].Address.String()+" does not say what pi1.arcodange.lab is over UDP")
	b.down()
	b.up(2)
	b.apply()
	got := b.sh("getent ahostsv4 any.arcodange.lab | head -n 1; getent hosts 192.168.1.202")
	if !strings.Contains(got, "192.168.1.201") || !strings.Contains(got, "pi2.arcodange.lab") {
		t.Errorf("the machine finds %q", got)
	}
	if mounts := b.sh("grep -c ' /etc ' /proc/self/mountinfo || :"); mounts != "0" {
		t.Errorf("%s mounts are left at /etc", mounts)
	}
	b.machine.Close()
	if err := b.box.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.box.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.empty("after a reboot")
	b.down()
	b.up(1)
	b.empty("one answers")
	b.down()
	if text := b.applyRestore(); !strings.Contains(text, "no Pi-hole answers") {
		t.Errorf("the plan:\n%s", text)
	}
	if got := b.sh("cat /etc/resolv.conf"); got != before {
		t.Errorf("restored is %q, was %q", got, before)
	}
	b.refused("nobody answers", "does not say what")
	b.up(2)
	b.apply()

	// systemd-resolved, and a file that is mounted
	b.sh("mkdir -p /run/systemd/resolve; echo nameserver 127.0.0.53 >/run/systemd/resolve/stub-resolv.conf; " +
		"ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf")
	b.refused("systemd-resolved", "systemd-resolved writes /etc/resolv.conf")
	b.sh("rm /etc/resolv.conf; echo nameserver 192.0.2.1 >/etc/resolv.conf; mount --bind /etc/resolv.conf /etc/resolv.conf")
	b.refused("a mount", "what mounts it")
	b.sh("umount /etc/resolv.conf")

	// DHCP clients, and what keeps them from writing the file
	for name, way := range map[string]string{
		"dhcpcd":   "echo nohook resolv.conf >/etc/dhcpcd.conf",
		"dhclient": "mkdir -p /etc/dhcp/dhclient-enter-hooks.d; echo 'make_resolv_conf() { :; }' >/etc/dhcp/dhclient-enter-hooks.d/lab",
	} {
		b.sh("cp /bin/sleep /usr/local/bin/" + name + "; systemd-run -q --unit=dhcp /usr/local/bin/" + name + " infinity; " +
			"until grep -qx " + name + " /proc/[0-9]*/comm 2>/dev/null; do :; done")
		b.refused(name, name+" writes /etc/resolv.conf")
		b.sh(way)
		if _, err := b.machine.Plan(t.Context(), b.config.Resolvers()); err != nil {
			t.Errorf("%s is kept from it: %v", name, err)
		}
		b.sh("systemctl stop dhcp")
	}
	b.apply()
}

// TestNetworkManagerOnMachine lets a real NetworkManager write resolv.conf, keeps it from that, and lets it write again.
func TestNetworkManagerOnMachine(t *testing.T) {
	b := newRealBench(t)
	if err := b.box.EnableDebian(); err != nil {
		t.Fatal(err)
	}
	update := ssh.Command{Root: true, Script: "apt-get update -qq -o APT::Update::Error-Mode=any"}
	if r, err := b.machine.Run(t.Context(), update); err != nil || r.Exit != 0 {
		real.Missing(t, "Debian's packages on the network")
	}
	b.sh(`mkdir -p /etc/NetworkManager/conf.d
i=$(ip -o route get ` + b.box.Gateway + ` | sed -n 's/.* dev \([^ ]*\) .*/\1/p')
printf '[keyfile]\nunmanaged-devices=interface-name:%s\n' "$i" >/etc/NetworkManager/conf.d/10-test.conf
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends network-manager >&2`)
	// with waits until NetworkManager has written a name server
	const connected = "until nmcli con up lab >&2; do :; done; " // it may not have seen the device yet
	with := func(server string) string {
		return "until grep -qx 'nameserver " + server + "' /etc/resolv.conf; do :; done"
	}
	b.sh("ip link add lab1 type veth peer name lab2; ip link set lab2 up; nmcli con add type ethernet ifname lab1 con-name lab " +
		"ipv4.method manual ipv4.addresses 10.99.0.2/24 ipv4.dns 10.99.0.1 >&2; " + connected + with("10.99.0.1"))
	before := b.sh("cat /etc/resolv.conf")
	b.up(2)
	b.apply()
	b.sh("nmcli con down lab >&2; " + connected + "nmcli general reload dns-rc; systemctl restart NetworkManager; " + connected +
		"nmcli general reload dns-rc")
	b.empty("after NetworkManager was at work")
	b.down()
	b.applyRestore()
	if got := b.sh("cat /etc/resolv.conf"); got != before {
		t.Errorf("restored is %q, was %q", got, before)
	}
	b.sh("nmcli con down lab >&2; nmcli con mod lab ipv4.dns 10.99.0.7; " + connected + with("10.99.0.7"))
	b.up(2)
	b.apply()
	if got := b.sh("cat " + formerConf); !strings.HasSuffix(got, "nameserver 10.99.0.7") {
		t.Errorf("kept is %q", got)
	}
}

// TestGateThroughJumpOnMachine asks a dnsmasq from a real Debian that is reached through OpenSSH's forwarding.
func TestGateThroughJumpOnMachine(t *testing.T) {
	b := newRealBench(t)
	log := filepath.Join(t.TempDir(), "log")
	b.conf += "\nlog-queries\nlog-facility=" + log
	b.up(1)
	jump := real.SSHD(t)
	c, m := b.config, b.machine
	c.Servers = []Server{{Name: "pi2", Address: c.Servers[0].Address}}
	m.Target.Boundary = &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix(b.box.Host + "/32"),
		netip.MustParsePrefix("127.0.0.1/32"), netip.PrefixFrom(c.Servers[0].Address, 32)}}
	m.Target.Jump = []ssh.Target{{Name: "gate", Address: jump.Addr, User: jump.User,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{jump.Key}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(jump.HostKey))}}}}
	if err := c.Gate(nil)(t.Context(), m); err != nil {
		t.Error(err)
	}
	asked, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(asked)) {
		if strings.Contains(line, "query[") && !strings.Contains(line, " from "+b.box.Host) {
			t.Errorf("it was not asked from the machine: %s", line)
		}
	}
	if !strings.Contains(string(asked), "query[AAAA] pi1.arcodange.lab from "+b.box.Host) {
		t.Errorf("it was not asked:\n%s", asked)
	}
	b.down()
	if err := c.Gate(nil)(t.Context(), m); !errors.Is(err, lab.ErrTimeout) || !strings.Contains(err.Error(), "cannot connect to it") {
		t.Errorf("nobody listens: %v", err)
	}
	b.sh("echo AllowTcpForwarding no >/etc/ssh/sshd_config.d/no.conf; systemctl restart ssh")
	m.Close()
	c.Patience = time.Hour
	if err := c.Gate(nil)(t.Context(), m); !errors.Is(err, lab.ErrUnauthorized) || len(lab.Hints(err)) == 0 {
		t.Errorf("its sshd forwards nothing: %v", err)
	}
}

// applyRestore applies the plan that restores, after which another one is refused.
func (b *realBench) applyRestore() string {
	b.t.Helper()
	p, err := b.machine.Plan(b.t.Context(), b.config.Resolvers())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := p.Apply(b.t.Context(), nil); err != nil {
		b.t.Fatalf("%v\n%s", err, p)
	}
	return p.String()
}

// TestListenersOnMachine finds who has port 53.
func TestListenersOnMachine(t *testing.T) {
	b := newRealBench(t)
	find := script.Join(embedded, nil, "listeners.sh")
	if got := b.sh(find); got != "" {
		t.Errorf("nobody listens, and it finds %q", got)
	}
	for _, protocol := range []string{"udp", "tcp"} {
		listen := ""
		if protocol == "tcp" {
			listen = "Listen=>1,"
		}
		b.sh("systemd-run -q --unit=listens perl -MIO::Socket::INET -e '$$s=IO::Socket::INET->new(" + listen +
			"LocalAddr=>\"127.0.0.53\",LocalPort=>53,Proto=>\"" + protocol + "\") or die; sleep'\n" +
			"until [ -n \"$(" + find + ")\" ]; do systemctl -q is-active listens || { journalctl -u listens >&2; exit 1; }; done")
		if got := b.sh(find); got != "perl" {
			t.Errorf("%s: it finds %q", protocol, got)
		}
		want, err := pinned(b.config).State("pi1", "file:/etc/docker-comes")
		if err != nil {
			t.Fatal(err)
		}
		want = append(host.State{host.File{Path: "/etc/docker-comes"}}, want...)
		if _, err := b.machine.Plan(t.Context(), want); !errors.Is(err, lab.ErrRefused) ||
			!strings.Contains(err.Error(), "perl listens on port 53") || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: %v", protocol, err)
		}
		b.sh("systemctl stop listens")
	}
}
