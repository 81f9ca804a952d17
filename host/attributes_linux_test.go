package host_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// accessList returns an ACL as an extended attribute (acl_ea.h): the owner may read and write, and
// user 12345 may read.
func accessList() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, 12345}, {4, 0, 1<<32 - 1}, {16, 4, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		b = binary.LittleEndian.AppendUint16(b, uint16(e[1]))
		b = binary.LittleEndian.AppendUint32(b, e[2])
	}
	return b
}

const aclAttribute = "system.posix_acl_access"

func attribute(t *testing.T, path, name string) []byte {
	t.Helper()
	b := make([]byte, 1024)
	n, err := unix.Lgetxattr(path, name, b)
	if errors.Is(err, unix.ENODATA) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s of %s: %v", name, path, err)
	}
	return b[:n]
}

// TestReplacedFileKeepsItsAttributes: a file with new content keeps its ACL and its extended
// attributes, but not its capabilities and setuid bit. The new content is never readable by those
// whom only the old mode allowed.
func TestReplacedFileKeepsItsAttributes(t *testing.T) {
	if os.Getuid() != 0 {
		real.Missing(t, "root, to set owners of files")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	probe := filepath.Join(dir, "probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"user.lab": []byte("x"), aclAttribute: accessList()} {
		if err := unix.Lsetxattr(probe, name, value, 0); err != nil {
			real.Missing(t, "a file system with ACLs and extended attributes: "+err.Error())
		}
	}
	o := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "downloaded") }))
	defer o.Close()
	s := real.SSHD(t)
	m := &host.Machine{
		Target: ssh.Target{
			Name:           "pi1",
			Address:        s.Addr,
			User:           s.User,
			ConnectTimeout: patience,
			Auth:           ssh.Auth{Signers: []cryptossh.Signer{s.Key}},
			HostKeys:       pin(s.HostKey),
			LockFile:       filepath.Join(dir, "lock"),
		},
	}
	defer m.Close()
	path := filepath.Join(dir, "it's a file")
	seen := filepath.Join(dir, "seen")
	watch := "stat -c %a -- %s >>" + ssh.Quote(seen)
	uploaded := []byte("uploaded")
	for name, change := range map[string]func(*testing.T, *host.Machine, string){
		"file":     applies(host.File{Path: path, Content: "new", Mode: 0o640, ValidateWith: watch}),
		"secret":   applies(host.File{Path: path, Value: lab.NewSecret("new"), Mode: 0o640, ValidateWith: watch}),
		"line":     applies(host.Line{Path: path, Line: "new", ValidateWith: watch}, host.File{Path: path, IfAbsent: true}),
		"block":    applies(host.Block{Path: path, Name: "n", Content: "new"}),
		"download": applies(host.Download{Path: path, URL: o.URL + "/x", SHA256: sum([]byte("downloaded")), Mode: 0o640}),
		"upload": func(t *testing.T, m *host.Machine, path string) {
			c, err := m.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			u := ssh.Upload{Path: path, Source: bytes.NewReader(uploaded), Size: int64(len(uploaded)), Mode: 0o640}
			if _, err := c.Upload(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			capability := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
			for name, value := range map[string][]byte{
				"user.lab": []byte("kept\x00"), aclAttribute: accessList(), "security.capability": capability,
			} {
				if err := unix.Lsetxattr(path, name, value, 0); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			change(t, m, path)
			if got, err := os.ReadFile(path); err != nil || string(got) == "old\n" {
				t.Errorf("%q %v", got, err)
			}
			if got := attribute(t, path, "user.lab"); string(got) != "kept\x00" {
				t.Errorf("user.lab is %q", got)
			}
			if got := attribute(t, path, aclAttribute); !slices.Equal(got, accessList()) {
				t.Errorf("the ACL is %x", got)
			}
			if got := attribute(t, path, "security.capability"); got != nil {
				t.Errorf("the new content has the capability %x", got)
			}
			if st, err := os.Stat(path); err != nil || st.Mode() != 0o640 {
				t.Errorf("%v %v", st.Mode(), err)
			}
			if left := names(t, dir); strings.Contains(left, ".lab-") {
				t.Errorf("left behind: %s", left)
			}
		})
	}
	// while the content has its temporary name its mode is 0600, whatever the old file's was
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	settle(t, m, host.State{
		host.File{Path: path, Value: lab.NewSecret("secret"), ValidateWith: "stat -c %a -- %s >" + ssh.Quote(seen)},
	})
	if got, err := os.ReadFile(seen); err != nil || string(got) != "600\n" {
		t.Errorf("before the rename the mode was %q, %v", got, err)
	}
}

// applies returns a function that applies the resources and verifies that their next plan is empty.
func applies(s ...host.Resource) func(*testing.T, *host.Machine, string) {
	return func(t *testing.T, m *host.Machine, _ string) {
		t.Helper()
		settle(t, m, s)
	}
}
