//! cel's own evaluator as the oracle, where the two languages agree: no units, nothing unknown.

use crate::meaning::Series;
use crate::{load_text, with_rule};
use cel::{Context, Env, Value as CelValue};
use proptest::prelude::*;
use ripcord_core::qty::Qty;
use ripcord_policy::eval::evaluate;
use ripcord_policy::value::Value;
use std::sync::Arc;

fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![(-9i64..9).prop_map(|n| n.to_string()), Just("n".to_owned()), Just("m".to_owned())];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*")], inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    })
}

fn truth() -> impl Strategy<Value = String> {
    let compare = prop_oneof![Just("<"), Just("<="), Just(">"), Just(">="), Just("=="), Just("!=")];
    let leaf = prop_oneof![
        (number(), compare, number()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        (number(), number(), number()).prop_map(|(a, b, c)| format!("({a} in [{b}, {c}])")),
        (number(), number(), number()).prop_map(|(a, b, c)| format!("[{a}, {b}].all(x, x <= {c})")),
        (number(), number(), number()).prop_map(|(a, b, c)| format!("[{a}, {b}].exists(x, x * x == {c} || x > m)")),
        (number(), number()).prop_map(|(a, b)| format!("(size([{a}, {b}, 1]) == {b})")),
        prop_oneof![Just("on".to_owned()), Just("true".to_owned()), Just("(on == false)".to_owned())],
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("!{a}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} || {b})")),
        ]
    })
}

proptest! {
    #[test]
    fn both_evaluators_agree(text in truth(), n in -9i64..9, m in -9i64..9, on in any::<bool>()) {
        let loaded = load_text(&with_rule(&text));
        prop_assume!(!matches!(&loaded, Err(found) if found.iter().all(|d| d.code.to_string() == "E07")));
        let policy = loaded.unwrap();
        let values = [("n", Ok(Value::Qty(Qty::count(n)))), ("m", Ok(Value::Qty(Qty::count(m)))), ("on", Ok(Value::Bool(on)))];
        let ours = evaluate(&policy.rules()[0].expr, &mut Series(&policy, values.into())).holds;
        let env = Env::stdlib();
        let program = env.compile(&text).unwrap();
        let mut context = Context::with_env(Arc::new(env));
        context.add_variable_from_value("n", n);
        context.add_variable_from_value("m", m);
        context.add_variable_from_value("on", on);
        prop_assert_eq!(Ok(CelValue::Bool(ours.unwrap())), program.execute(&context), "{}", text);
    }
}
