package real

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// VaultServer is a Vault in a process of its own, on loopback without TLS.
type VaultServer struct {
	Address string // "http://127.0.0.1:PORT"
	Token   string // of root, of one in dev mode; otherwise empty: it is not initialised

	binary, dir string
	args        []string
	proc        *process
}

// VaultDev starts a Vault in dev mode for the duration of the test: unsealed, in memory, with a root token
// and a KV v2 mount at secret/. Its first build takes minutes.
func VaultDev(tb testing.TB) *VaultServer {
	tb.Helper()
	v := newVault(tb)
	v.Token = "root-of-" + filepath.Base(v.dir)
	v.args = []string{"server", "-dev", "-dev-no-store-token", "-dev-root-token-id=" + v.Token,
		"-dev-listen-address=" + v.listen()}
	v.Start(tb)
	return v
}

// VaultRaft starts a Vault with raft storage for the duration of the test, not initialised, as it is installed.
// Its files survive [VaultServer.Stop] and [VaultServer.Start].
func VaultRaft(tb testing.TB) *VaultServer {
	tb.Helper()
	return vaultRaft(tb, nil)
}

// Join starts another server, which joins the cluster of this one with raft storage as soon as this one is
// unsealed.
func (v *VaultServer) Join(tb testing.TB) *VaultServer {
	tb.Helper()
	return vaultRaft(tb, v)
}

func vaultRaft(tb testing.TB, first *VaultServer) *VaultServer {
	tb.Helper()
	v := newVault(tb)
	cluster, release, err := reservePort("127.0.0.1")
	if err != nil {
		tb.Fatalf("vault: %v", err)
	}
	tb.Cleanup(release)
	data := filepath.Join(v.dir, "data")
	raft := map[string]any{"path": data, "node_id": v.listen()}
	if first != nil {
		raft["retry_join"] = []any{map[string]any{"leader_api_addr": first.Address}}
	}
	among := "127.0.0.1:" + strconv.Itoa(cluster)
	config, err := json.Marshal(map[string]any{ // JSON is HCL
		"storage": map[string]any{"raft": raft},
		"listener": map[string]any{"tcp": map[string]any{"address": v.listen(), "cluster_address": among,
			"tls_disable": true}},
		"api_addr":      v.Address,
		"cluster_addr":  "https://" + among,
		"disable_mlock": true,
	})
	if err == nil {
		err = errors.Join(os.Mkdir(data, 0o700), os.WriteFile(filepath.Join(v.dir, "vault.json"), config, 0o600))
	}
	if err != nil {
		tb.Fatalf("vault: %v", err)
	}
	v.args = []string{"server", "-config=" + filepath.Join(v.dir, "vault.json")}
	v.Start(tb)
	return v
}

func newVault(tb testing.TB) *VaultServer {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Minute)
	defer cancel()
	binary, err := vaultProgram(ctx)
	if err != nil {
		lacksTool(tb, "Vault", err)
		tb.Fatalf("vault: %v", err)
	}
	port, release, err := reservePort("127.0.0.1")
	if err != nil {
		tb.Fatalf("vault: %v", err)
	}
	v := &VaultServer{Address: "http://127.0.0.1:" + strconv.Itoa(port), binary: binary, dir: tb.TempDir()}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of vault:\n%s", v.Log())
		}
		v.Stop(tb)
		release()
	})
	return v
}

func vaultProgram(ctx context.Context) (string, error) {
	return goTool(ctx, "vault", "github.com/hashicorp/vault")
}

func (v *VaultServer) listen() string { return v.Address[len("http://"):] }

// Start starts the server, after [VaultServer.Stop] on the same port, and waits until it answers. One with raft
// storage is sealed then.
func (v *VaultServer) Start(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	if err := v.start(ctx); err != nil {
		tb.Fatalf("vault: %v\n%s", err, v.Log())
	}
}

func (v *VaultServer) start(ctx context.Context) error {
	log, err := os.OpenFile(v.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(v.binary, v.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = v.dir, log, log
	cmd.Env = []string{"HOME=" + v.dir} // no VAULT_ variables, which would change the configuration
	if v.proc, err = start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	dev := v.Token != ""
	return v.proc.until(ctx, "vault answers", func() error {
		resp, err := http.Get(v.Address + "/v1/sys/health")
		if err != nil {
			return err
		}
		if dev && resp.StatusCode != http.StatusOK { // it initialises and unseals itself
			err = errors.New(resp.Status)
		}
		return errors.Join(err, resp.Body.Close())
	})
}

// Stop stops the server. Connections are refused until [VaultServer.Start].
func (v *VaultServer) Stop(tb testing.TB) {
	tb.Helper()
	if err := v.proc.stop(syscall.SIGTERM, 10*time.Second); err != nil {
		tb.Errorf("vault: %v", err)
	}
}

// Log returns what the server has logged so far.
func (v *VaultServer) Log() string {
	b, err := os.ReadFile(v.logFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (v *VaultServer) logFile() string { return filepath.Join(v.dir, "log") }

// Call sends a request with a token, without any code under test, and returns the status and the answer. body is
// JSON; empty: none.
func (v *VaultServer) Call(tb testing.TB, token, method, path, body string) (status int, answer string) {
	tb.Helper()
	status, answer, err := v.call(tb.Context(), token, method, path, body)
	if err != nil {
		tb.Fatalf("vault: %v", err)
	}
	return status, answer
}

func (v *VaultServer) call(ctx context.Context, token, method, path, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s/v1/%s", v.Address, path),
		bytes.NewBufferString(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Vault-Request", "true")
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	return resp.StatusCode, text.String(), err
}
