package lab_test

import (
	"path/filepath"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

func TestSecretDirIsASink(t *testing.T) {
	lawtest.Sink(t, "token", lab.SecretDir{Path: filepath.Join(t.TempDir(), "secrets")})
}
