package real

import "testing"

func TestPoolerINI(t *testing.T) {
	own := []string{"listen_port = 1", "pidfile ="}
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "\n[pgbouncer]\nlisten_port = 1\npidfile =\n"},
		"no section": {"[databases]\n* = host=h\n", "[databases]\n* = host=h\n[pgbouncer]\nlisten_port = 1\npidfile =\n"},
		"last": {"[databases]\n\n[pgbouncer]\npool_mode = session\n\n",
			"[databases]\n\n[pgbouncer]\npool_mode = session\nlisten_port = 1\npidfile =\n"},
		"not last": {"[pgbouncer]\nlisten_port = 6432\n [users]\na = x",
			"[pgbouncer]\nlisten_port = 6432\nlisten_port = 1\npidfile =\n [users]\na = x\n"},
		"header only": {"[pgbouncer]", "[pgbouncer]\nlisten_port = 1\npidfile =\n"},
	} {
		if got := poolerINI(c.text, own); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
