use serde_json::json;
use session::mint::SigningKey;
use session::*;
#[test]
fn smoke() {
    for a in Algorithm::ALL {
        let k = SigningKey::generate(a, None).unwrap();
        let v = Verifier::new(Rules::new("i", "a"), KeySet::from_jwks(&k.public_jwks()).unwrap());
        let t = k
            .sign(&json!({"iss":"i","aud":"a","sub":"s","jti":"j","iat":1000,"exp":2000}))
            .unwrap();
        v.verify(t.as_bytes(), 1500).unwrap();
        let p = k.to_pem().unwrap();
        let k2 = SigningKey::from_pem(&p, None).unwrap();
        assert_eq!(k2.kid(), k.kid());
        let t = k2
            .sign(&json!({"iss":"i","aud":"a","sub":"s","jti":"j","iat":1000,"exp":2000}))
            .unwrap();
        v.verify(t.as_bytes(), 1500).unwrap();
        println!("{}", *p);
    }
}
