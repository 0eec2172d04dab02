//! [`Machine`]: what an evaluation carries along: values of names, definitions evaluated so far,
//! the budget, and when to look again.

use super::super::error::{ErrorKind, EvalError, brief};
use super::super::library::{Call, Function};
use super::super::node::Span;
use super::super::program::{Bindings, Budget, Code};
use super::super::terms::Memo;
use super::super::value::{Origin, Value};
use super::evaluate;
use jiff::{SignedDuration, Timestamp};

/// Why a sub-expression has no value. Boxed: it is rare, and values are small.
pub(in crate::cel) type Fault = Box<EvalError>;

/// A value, or why there is none.
pub(in crate::cel) type Outcome<'a> = Result<Value<'a>, Fault>;

/// How soon an expression is looked at again that uses `now` in a way that is not solved.
const RECHECK: SignedDuration = SignedDuration::from_secs(60);

/// Names that an expression reads without allocating; the rest is looked up at each use.
const FEW_NAMES: usize = 6;

/// The variables of the macros around a sub-expression, innermost first.
pub(in crate::cel) struct Scope<'s, 'a> {
    pub value: Value<'a>,
    pub up: Option<&'s Scope<'s, 'a>>,
}

impl<'a> Scope<'_, 'a> {
    /// The variable that is this many scopes out. The compiler counted them.
    pub fn find(scope: Option<&Scope<'_, 'a>>, up: u16) -> Value<'a> {
        Scope::value(scope, up).cloned().unwrap_or(Value::Null)
    }

    pub fn value<'r>(mut scope: Option<&'r Scope<'_, 'a>>, up: u16) -> Option<&'r Value<'a>> {
        for _ in 0..up {
            scope = scope?.up;
        }
        scope.map(|scope| &scope.value)
    }
}

/// One evaluation.
pub(in crate::cel) struct Machine<'a, 'b> {
    bindings: &'b Bindings<'a>,
    code: Option<&'a Code>,
    /// Values of the first names of `code`, once they were asked for.
    names: [Option<Value<'a>>; FEW_NAMES],
    /// Definitions already evaluated, by the address of their code.
    definitions: Vec<(*const Code, Outcome<'a>)>,
    /// Answers that other expressions may have given already.
    pub memo: Option<&'b mut Memo>,
    pub budget: Budget,
    pub next: Option<Timestamp>,
}

/// What `enter` put aside.
pub(in crate::cel) struct Entered<'a> {
    code: Option<&'a Code>,
    names: [Option<Value<'a>>; FEW_NAMES],
}

impl<'a, 'b> Machine<'a, 'b> {
    /// Evaluates no code yet, or this one.
    pub fn new(
        code: Option<&'a Code>,
        bindings: &'b Bindings<'a>,
        budget: Budget,
    ) -> Machine<'a, 'b> {
        Machine {
            bindings,
            code,
            names: [const { None }; FEW_NAMES],
            definitions: Vec::new(),
            memo: None,
            budget,
            next: None,
        }
    }

    /// Begins to evaluate `code`, perhaps in the middle of another one.
    pub fn enter(&mut self, code: &'a Code) -> Entered<'a> {
        Entered {
            code: self.code.replace(code),
            names: std::mem::replace(&mut self.names, [const { None }; FEW_NAMES]),
        }
    }

    pub fn leave(&mut self, outer: Entered<'a>) {
        self.code = outer.code;
        self.names = outer.names;
    }

    /// The value of the name with this number.
    pub fn root(&mut self, number: u16, span: Span) -> Outcome<'a> {
        match self.root_ref(number, span)? {
            Some(value) => Ok(value.clone()),
            // More names than are kept: looked up at each use.
            None => self.look_up(number, span),
        }
    }

    /// The same without counting a reference, if the value is kept.
    #[inline]
    pub fn root_ref(&mut self, number: u16, span: Span) -> Result<Option<&Value<'a>>, Fault> {
        let at = usize::from(number);
        if self.names.get(at).is_some_and(Option::is_none) {
            self.names[at] = Some(self.look_up(number, span)?);
        }
        Ok(self.names.get(at).and_then(Option::as_ref))
    }

    fn look_up(&self, number: u16, span: Span) -> Outcome<'a> {
        let name = self
            .code
            .and_then(|code| code.names.get(usize::from(number)));
        let Some(name) = name else {
            return Ok(Value::Null);
        };
        self.bindings.find(&name.name, name.origin).ok_or_else(|| {
            let message = format!("there is no {} here", name.name);
            self.fault(ErrorKind::Unbound, span, message)
        })
    }

    /// The value of the definition with this number, evaluated at most once.
    pub fn definition(&mut self, number: u16, span: Span) -> Outcome<'a> {
        let found = self
            .code
            .and_then(|code| code.definitions.get(usize::from(number)));
        let Some((name, program)) = found else {
            return Ok(Value::Null);
        };
        let address: *const Code = &raw const *program.code;
        if let Some((_, known)) = self.definitions.iter().find(|(code, _)| *code == address) {
            return known.clone();
        }
        let outer = self.enter(&program.code);
        let result = evaluate(&program.code, self);
        self.leave(outer);
        let result = result.map_err(|mut fault| {
            fault.message = format!("in {name}: {}", fault.message);
            fault.span = span.range();
            fault
        });
        self.definitions.push((address, result.clone()));
        result
    }

    pub fn call(
        &mut self,
        function: &'static Function,
        args: &[Value<'a>],
        span: Span,
    ) -> Outcome<'a> {
        (function.run)(&mut Call {
            function,
            args,
            machine: self,
            span,
        })
    }

    /// Whether absent fields are errors.
    pub fn strict(&self) -> bool {
        self.code.is_some_and(|code| code.strict)
    }

    /// Whether text is used as the time that it says: in rules, not in CEL as specified, and not
    /// in what the compiler computes.
    pub fn lenient(&self) -> bool {
        self.code.is_some_and(|code| !code.strict)
    }

    /// Takes steps from the budget.
    #[inline]
    pub fn charge(&mut self, steps: u64, span: Span) -> Result<(), Fault> {
        match self.budget.steps.checked_sub(steps) {
            Some(left) => {
                self.budget.steps = left;
                Ok(())
            }
            None => {
                self.budget.steps = 0;
                Err(self.fault(ErrorKind::Budget, span, "it takes more steps than allowed"))
            }
        }
    }

    /// Takes memory from the budget.
    pub fn allocate(&mut self, bytes: u64, span: Span) -> Result<(), Fault> {
        match self.budget.bytes.checked_sub(bytes) {
            Some(left) => {
                self.budget.bytes = left;
                Ok(())
            }
            None => {
                self.budget.bytes = 0;
                Err(self.fault(ErrorKind::Budget, span, "it takes more memory than allowed"))
            }
        }
    }

    /// The answer can change at this moment.
    pub fn wake_at(&mut self, moment: Option<Timestamp>) {
        if let Some(moment) = moment {
            self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
        }
    }

    /// The answer depends on `now` in a way that is not solved.
    pub fn recheck(&mut self) {
        if let Some(now) = self.now() {
            self.wake_at(now.checked_add(RECHECK).ok());
        }
    }

    pub fn now(&self) -> Option<Timestamp> {
        match self.bindings.find("now", Origin::Plain) {
            Some(Value::Timestamp(now)) => Some(now),
            _ => None,
        }
    }

    #[cold]
    #[expect(clippy::unused_self, reason = "called as its siblings are")]
    pub fn fault(&self, kind: ErrorKind, span: Span, message: impl Into<String>) -> Fault {
        let message = brief(message.into());
        Box::new(EvalError {
            kind,
            message,
            span: span.range(),
            path: None,
        })
    }

    /// No operator or function of this name takes these types.
    #[cold]
    pub fn type_fault(&self, span: Span, name: &str, args: &[&Value<'_>]) -> Fault {
        let types: Vec<&str> = args.iter().map(|arg| arg.type_name()).collect();
        let is_operator = !name.starts_with(|c: char| c.is_alphabetic());
        let message = match (types.as_slice(), is_operator) {
            ([_], true) => format!("{name} cannot take {}", args[0].a_type()),
            ([a, b], true) => format!("{a} {name} {b} is not possible"),
            (types, _) => format!("{name}() cannot take ({})", types.join(", ")),
        };
        self.fault(ErrorKind::Type, span, message)
    }
}
