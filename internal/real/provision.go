package real

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// build creates the machine's overlay, disk and network namespace.
func (m *Machine) build(ctx context.Context, st setState, i int, base, hosts string) error {
	for _, d := range append([]string{"up", "work", "root"}, stateDirs...) {
		if err := os.MkdirAll(filepath.Join(m.dir, filepath.Base(d)), 0o755); err != nil {
			return err
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", base,
		filepath.Join(m.dir, "up"), filepath.Join(m.dir, "work"))
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
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // it may be a symbolic link
			return err
		}
		if err := writeFile(path, content, 0o644); err != nil {
			return err
		}
	}
	// At certain times of the day they hold the locks of apt and dpkg.
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
