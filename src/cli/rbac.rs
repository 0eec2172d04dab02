//! `bellwether rbac`: the least roles under which these rules run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::dry_run::say;
use super::failure::{self, Failure};
use super::typed::load;
use super::{ClusterArgs, FileArgs};
use crate::names::SourceKey;
use crate::setup::rights::{Plural, Rights, ServiceAccount, guess};
use crate::setup::{self, Loaded};
use crate::watch::Source;
use crate::watch::cluster::Cluster;
use crate::watch::error::WatchError;

const EXAMPLES: &str = "\
Examples:
  bellwether rbac --rules rules/ --crds crds/
  bellwether rbac --rules rules/ --cluster --service-account bellwether/bellwether | kubectl apply -f -
  bellwether rbac --rules rules/ --kubeconfig admin.kubeconfig --name bellwether-staging

The roles hold what the rules watch, the objects that are related to those and what stands between,
Namespaces and Events where rules read them, the Secrets that receivers name, and the UID of
kube-system; nothing else. For rules that watch some namespaces, Roles there will do. What every authenticated user may see anyway (discovery and schemas,
`system:discovery`) is not in them.";

/// Print the least roles under which these rules run, for kubectl apply
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Rbac {
    #[command(flatten)]
    files: FileArgs,
    /// Files and directories of CRDs, which know the plurals of their kinds.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    crds: Vec<PathBuf>,
    /// Ask the cluster for the plurals of kinds; --kubeconfig and --context do too.
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    address: ClusterArgs,
    /// The name of the roles.
    #[arg(long, value_name = "NAME", default_value = "bellwether")]
    name: String,
    /// Who is to have them: the bindings are printed too.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    service_account: Option<ServiceAccount>,
}

impl FromStr for ServiceAccount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err("a namespace and a name: bellwether/bellwether".to_owned()),
        }
    }
}

/// Prints them.
///
/// # Errors
/// The rules are wrong, or the cluster cannot be reached.
pub async fn run(arguments: &Rbac) -> Result<(), Failure> {
    let address = &arguments.address;
    let ask = arguments.cluster || address.kubeconfig.is_some() || address.context.is_some();
    let cluster = if ask {
        Some(Cluster::connect(&address.address()).await?)
    } else {
        None
    };
    let account = arguments.service_account.as_ref();
    let own = address
        .namespace
        .clone()
        .or_else(|| account.map(|account| account.namespace.clone()))
        .or_else(|| {
            cluster
                .as_ref()
                .map(|cluster| cluster.namespace().to_string())
        });
    let mut files = arguments.files.files_of(address).await?;
    files.crds.clone_from(&arguments.crds);
    files.own_namespace = own.clone();
    let loaded = load(&files)?;
    let served = match &cluster {
        Some(cluster) => plurals(cluster, &loaded).await?,
        None => BTreeMap::new(),
    };
    let plural = |source: &Source| {
        let known = served.get(&source.key()).map(String::as_str);
        let known = known.or_else(|| loaded.schemas.plural(source));
        known.map_or_else(
            || guess(source),
            |name| Plural {
                name: name.to_owned(),
                guessed: false,
            },
        )
    };
    let Some(own) = own.or_else(|| needs_no_namespace(&loaded).then(String::new)) else {
        return Err(Failure::new(
            failure::USAGE,
            "a receiver without a namespace has its Secrets in the bridge's own, which is not known",
            "say it with --namespace or --service-account",
        ));
    };
    let mut rights = Rights::of(&loaded, &own, &plural);
    if arguments.files.rules_from_cluster {
        rights.documents();
    }
    say(&rights.manifests(&arguments.name, account));
    Ok(())
}

/// What the server calls the kinds that it has.
async fn plurals(
    cluster: &Cluster,
    loaded: &Loaded,
) -> Result<BTreeMap<SourceKey, String>, WatchError> {
    let mut plurals = BTreeMap::new();
    for watched in &loaded.rules.sources {
        match cluster.plural(&watched.source).await {
            Ok(plural) => drop(plurals.insert(watched.key.clone(), plural)),
            Err(WatchError::NoSuchKind { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(plurals)
}

/// Whether no receiver reads a Secret of the bridge's own namespace.
fn needs_no_namespace(loaded: &Loaded) -> bool {
    let mut receivers = loaded.configuration.receivers.iter();
    receivers
        .all(|receiver| receiver.namespace.is_some() || !setup::rights::reads_secrets(receiver))
}
