package k3s_test

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

// A wrong option is found before a server reads it: k3s would go on without it.
func ExampleConfig_Validate() {
	c := k3s.Config{
		Version: "v1.34.3+k3s1", Servers: []string{"pi1"}, Agents: []string{"pi2", "pi3"}, Address: "192.168.1.201",
		Binaries: map[string]k3s.Binary{"arm64": {Source: "k3s-arm64",
			SHA256: "ad1ffa27ba50be5ac2b1c9ab0e1d5e0a4ae1ffd6ab8c9c3d7cf2e4bb5ad2a1c9"}},
		Options: map[string]any{"kubelet-args": []string{"max-pods=50"}},
	}
	fmt.Println(c.Validate())
	// Output: options.kubelet-args: is not an option of k3s on these nodes: kubelet-args (perhaps kubelet-arg)
}
