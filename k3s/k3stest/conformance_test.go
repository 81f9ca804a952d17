package k3stest_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
)

func TestConformance(t *testing.T) {
	suite := &k3stest.Suite{API: k3stest.NewServer()}
	suite.Run(t)
}

// TestConformanceReal runs the suite on a real API server.
func TestConformanceReal(t *testing.T) {
	suite := &k3stest.Suite{API: real.KubeAPIServer(t).Handler(), Definitions: real.CRDs(t, "k3s")}
	suite.Run(t)
}
