//! What every object of Kubernetes has: `apiVersion`, `kind`, `metadata`. The schema of a custom
//! resource says of `metadata` only that it is an object; the API server fills in the rest.

use super::{Object, Type};
use std::sync::Arc;

/// `ObjectMeta` of Kubernetes 1.37.
pub(super) fn of(kind: &str) -> Type {
    let name = format!("{kind}.metadata");
    let texts = || Type::map(Type::String, Type::String);
    let inner = |part: &str, fields| Type::object(&format!("{name}.{part}[]"), fields);
    let owner = inner(
        "ownerReferences",
        vec![
            ("apiVersion", Type::String),
            ("blockOwnerDeletion", Type::Bool),
            ("controller", Type::Bool),
            ("kind", Type::String),
            ("name", Type::String),
            ("uid", Type::String),
        ],
    );
    let writer = inner(
        "managedFields",
        vec![
            ("apiVersion", Type::String),
            ("fieldsType", Type::String),
            ("fieldsV1", Type::Dyn),
            ("manager", Type::String),
            ("operation", Type::one_of(&["Apply", "Update"])),
            ("subresource", Type::String),
            ("time", Type::TimeText),
        ],
    );
    Type::object(
        &name,
        vec![
            ("annotations", texts()),
            ("creationTimestamp", Type::TimeText),
            ("deletionGracePeriodSeconds", Type::Int),
            ("deletionTimestamp", Type::TimeText),
            ("finalizers", Type::list(Type::String)),
            ("generateName", Type::String),
            ("generation", Type::Int),
            ("labels", texts()),
            ("managedFields", Type::list(writer)),
            ("name", Type::String),
            ("namespace", Type::String),
            ("ownerReferences", Type::list(owner)),
            ("resourceVersion", Type::String),
            ("selfLink", Type::String),
            ("uid", Type::String),
        ],
    )
}

impl Object {
    /// The object with the fields that every object of this kind has.
    pub(super) fn of_kubernetes(mut self, kind: &str) -> Object {
        let own = [
            ("apiVersion", Type::String),
            ("kind", Type::String),
            ("metadata", of(kind)),
        ];
        self.fields
            .retain(|(name, _)| own.iter().all(|(known, _)| **name != **known));
        let own = own.into_iter().map(|(name, of)| (Arc::from(name), of));
        self.fields.extend(own);
        Object::new(self.name, self.fields, self.open)
    }
}
