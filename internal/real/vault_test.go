package real

import (
	"net/http"
	"strings"
	"testing"
)

func TestVault(t *testing.T) {
	dev := VaultDev(t)
	if status, body := dev.Call(t, dev.Token, "GET", "auth/token/lookup-self", ""); status != http.StatusOK ||
		!strings.Contains(body, "root") {
		t.Errorf("dev mode: %d %s", status, body)
	}
	raft := VaultRaft(t)
	if status, body := raft.Call(t, "", "GET", "sys/health", ""); status != http.StatusNotImplemented {
		t.Errorf("raft, as it is installed: %d %s", status, body)
	}
	if status, _ := raft.Call(t, "", "PUT", "sys/init",
		`{"secret_shares":1,"secret_threshold":1}`); status != http.StatusOK {
		t.Fatalf("init: %d", status)
	}
	raft.Stop(t)
	raft.Start(t)
	if status, body := raft.Call(t, "", "GET", "sys/health", ""); status != http.StatusServiceUnavailable {
		t.Errorf("raft, started again: %d %s", status, body)
	}
}
