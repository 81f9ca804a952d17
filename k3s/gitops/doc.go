// Package gitops describes Argo CD, its Image Updater, and one Application for each app: as objects, for package
// kube to apply. It reads and writes nothing, and unless it is enabled it describes nothing.
//
//	root := gitops.Root{Enabled: true, Version: "9.1.0", Host: "argocd.arcodange.lab", Forge: "https://gitea.arcodange.lab",
//		DefaultOrg: "arcodange-org", Apps: []gitops.App{{Instance: lab.App("webapp").In(lab.Prod)}}}
//	spec, err := root.Spec()
//	plan, err := cluster.Plan(ctx, spec)
//
// The Applications are applied one by one, and not by an Application of Applications: what Argo CD or the Image Updater
// writes into one, such as the parameters of a chart, is theirs by server-side apply, and is left. An app
// that is taken out of the list is removed with everything that Argo CD has deployed for it, unless it is
// [App.Stateful]; so its removal is a [lab.RiskDataLoss], one at a time, and an empty list is refused.
package gitops
