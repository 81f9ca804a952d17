package vaultprov_test

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// All of an app's objects come from its name and its environments.
func ExampleApps_Spec() {
	apps := vaultprov.Apps{
		Instances: []lab.Instance{lab.App("erp").In(lab.Prod), lab.App("erp").In("sandbox")},
		Issuer:    &vaultprov.JWTConfig{DiscoveryURL: "https://gitea.arcodange.lab"},
		CI:        vaultprov.CI{Audience: "a-client-id", Subject: "7"},
		Postgres:  &vaultprov.Postgres{Host: "192.168.1.202"},
	}
	spec := apps.Spec()
	for _, p := range spec.Policies {
		fmt.Println("policy", p.Name)
	}
	for _, r := range spec.KubernetesRoles {
		fmt.Println("kubernetes role", r.Name)
	}
	for _, r := range spec.JWTRoles {
		fmt.Println("jwt role", r.Name)
	}
	fmt.Println(spec.Connections[1].URL)
	fmt.Println(spec.DatabaseRoles[1].Creation[1])
	// Output:
	// policy gitea_cicd
	// policy erp
	// policy erp-ops
	// policy erp-sandbox
	// kubernetes role erp
	// kubernetes role erp-sandbox
	// jwt role gitea_cicd_erp
	// postgresql://{{username}}:{{password}}@192.168.1.202:5432/erp-sandbox?sslmode=verify-full
	// ALTER ROLE "{{name}}" SET role TO 'erp_sandbox_role';
}

func ExampleManifests_For() {
	m := vaultprov.Manifests{Address: "https://vault.tools.svc:8200", CASecret: "lab-ca"}
	for _, object := range m.For(lab.App("erp").In("sandbox")) {
		fmt.Println(object["kind"], object["metadata"])
	}
	// Output:
	// VaultConnection map[name:erp-sandbox namespace:erp-sandbox]
	// VaultAuth map[name:erp-sandbox namespace:erp-sandbox]
	// VaultStaticSecret map[name:erp-sandbox-config namespace:erp-sandbox]
}
