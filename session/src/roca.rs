//! RSA moduli that can be factored because of how they were made: CVE-2017-15361, "ROCA".
//!
//! The library of some smart cards and TPMs made primes of the form `k * M + (65537^a mod M)`, where M is the
//! product of the first primes: up to 701 and beyond for the sizes that are accepted here. Such a modulus is a power of
//! 65537 modulo each of these primes, which another modulus is by chance once in more than 2^100 times
//! (Nemec et al., "The Return of Coppersmith's Attack", section 4.3).

/// The largest prime of M for a modulus of 2048 bits.
const LAST_PRIME: u16 = 701;
const GENERATOR: u32 = 65537;

/// Has the modulus, big-endian, the fingerprint of those keys?
pub(crate) fn has_fingerprint(modulus: &[u8]) -> bool {
    (3..=LAST_PRIME).map(u32::from).filter(|number| is_prime(*number)).all(|prime| {
        let remainder =
            modulus.iter().fold(0, |rest, octet| (rest << 8 | u32::from(*octet)) % prime);
        is_power_of_generator(remainder, prime)
    })
}

fn is_prime(number: u32) -> bool {
    (2..number)
        .take_while(|factor| factor * factor <= number)
        .all(|factor| !number.is_multiple_of(factor))
}

fn is_power_of_generator(number: u32, prime: u32) -> bool {
    let mut power = 1;
    // The powers come round to 1 after at most `prime - 1` of them.
    for _ in 0..prime {
        if power == number {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_key::PublicKey;

    /// Big-endian.
    fn power_of_generator(exponent: u32) -> Vec<u8> {
        let mut little = vec![1_u8];
        for _ in 0..exponent {
            // Times 2^16 + 1.
            let mut sum = vec![0, 0];
            sum.extend(&little);
            let mut carry = 0;
            for (at, octet) in sum.iter_mut().enumerate() {
                carry += u16::from(*octet) + u16::from(little.get(at).copied().unwrap_or(0));
                *octet = carry.to_le_bytes()[0];
                carry >>= 8;
            }
            if carry > 0 {
                sum.push(1);
            }
            little = sum;
        }
        little.reverse();
        little
    }

    #[test]
    fn key_with_a_modulus_of_the_weak_form_is_refused() {
        assert_eq!(power_of_generator(1), [1, 0, 1]);
        assert_eq!(power_of_generator(2), [1, 0, 2, 0, 1]);
        let weak = power_of_generator(128);
        assert_eq!(weak.len() * 8, 2056);
        assert!(has_fingerprint(&weak));
        let refused = PublicKey::rsa(&weak, &[1, 0, 1]).err();
        assert!(refused.is_some_and(|reason| reason.contains("CVE-2017-15361")), "{refused:?}");
        let mut other = weak;
        *other.last_mut().unwrap() ^= 2;
        assert!(!has_fingerprint(&other));
    }
}
