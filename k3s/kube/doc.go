// Package kube applies objects to a Kubernetes API by server-side apply: it reads what is there, plans what
// differs as the server itself would change it, and applies exactly that. It knows nothing of machines: any
// cluster will do.
//
//	objects, err := kube.ParseObjects(manifests)
//	c := &kube.Cluster{Kubeconfig: kubeconfig, Boundary: ssh} // 6443 of the machine need not be open
//	p, err := c.Plan(ctx, kube.Spec{Owner: "tools", Objects: objects, Prune: true})
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
//
// # What a plan costs
//
// Where nothing differs: two requests for the kinds that the cluster knows, one for its namespaces, and one list
// for each kind of the spec, by the label of the owner. Pruning adds a list of names for each other kind. What
// was listed says in metadata.managedFields which fields the owner has applied: if they and their values
// are those of the manifest, an apply would change nothing, and the server is not asked. It is asked, in a dry run,
// for each object of which that cannot be told: a new one, one that differs, and one in which the server has
// filled in a field of a list without keys (the protocol of a port of a NetworkPolicy) or written a quantity in its
// own way ("0.5" as "500m"). No more than [Cluster.Parallel] requests are under way at once.
//
// # Whose fields
//
// The field manager of the owner "tools" is "lab-tools". Fields that others set are left alone. A field of the
// manifest that another manager owns, and that has another value, is a conflict, at planning time and by name:
// somebody edited it, an autoscaler sets it, or another tool applies the object. It is taken over only
// from managers that [Spec.TakeOver] names, and then the change has [lab.RiskDisrupt]; they own nothing of the object
// afterwards. A field that is taken out of the manifest is removed, unless another manager owns it too, as kubectl
// does what it once applied itself: name it in TakeOver.
//
// # What is never done
//
// An object is never removed and recreated: a field that cannot be changed is an error that says so. Nothing is
// removed that does not have the owner's label and fields of its manager, that a controller owns, or that has
// the annotation [KeepAnnotation]; the HelmChart of Longhorn is kept without it. More than
// [Spec.MaxDeletes] objects are not removed at once, and of an empty list of objects nothing follows. Removing
// a Namespace, a volume or its claim, a CustomResourceDefinition or a HelmChart is a [lab.RiskDataLoss].
//
// # Order
//
// An object comes after its namespace, its CustomResourceDefinition, what [Object.Provides] its API group, and
// what it is put [Object.After], and is applied when those are ready, as [Cluster.Health] says. Objects of
// which the cluster does not know the kind yet cannot be checked by a dry run before that.
//
// An object with a [Object.Probe] is tried when it was applied, and put back as it was if it does not work.
//
// # Secrets
//
// The values of a Secret, and each [lab.Secret] in an object, are never shown: a diff says "(secret)", and
// "(secret, changed)". Errors of the server are masked. Objects are formatted as their names. client-go reads the
// environment variables KUBE_FEATURE_* for its feature gates; nothing else of the environment is read.
//
// # Tests
//
// Package k3stest has a Kubernetes API in this process.
package kube
