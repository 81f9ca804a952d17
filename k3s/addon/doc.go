// Package addon describes what runs in every cluster of the lab: as objects, for package kube to apply. Each add-on
// is a config with a Validate and an Objects, a pure function.
//
//	manager := addon.CertManager{Version: "v1.19.1"}
//	issuer := addon.StepIssuer{Version: "1.9.0", URL: "https://ca.arcodange.lab:9000", CA: root, Provisioner: "cert-manager",
//		KeyID: kid, Password: password}
//	objects, err := addon.All(&manager, &issuer)
//	plan, err := cluster.Plan(ctx, kube.Spec{Owner: "addons", Objects: objects})
//
// Charts are installed by the Helm controller of k3s. A version is always named, so that nothing is upgraded unasked,
// and a release that fails is left as it is. What holds data, Longhorn and Vault, is never removed. What needs the
// kinds of a chart comes after the chart: a Certificate after cert-manager, wherever it stands in the list.
//
// A secret is in a Secret, and nowhere else: not in a HelmChart, not in a ConfigMap, not in a Middleware.
package addon
