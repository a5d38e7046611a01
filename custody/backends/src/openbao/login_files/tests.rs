use super::*;
use crate::openbao::token::Tokens;
use crate::openbao::{OpenBao, OpenBaoAuth};
use custody_base::outbound::{Endpoint, Reach};
use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// An OpenBao that answers each wrapping token once, with `content-of-TOKEN`, after a pause.
#[derive(Clone, Default)]
struct Server {
    unwraps: Arc<Mutex<HashMap<String, usize>>>,
    pause: Duration,
}

/// Custody's login with the wrapped token in a file.
struct Login {
    tokens: Arc<Tokens>,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn login(&self) -> Login {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = self.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(server.clone().answer(stream));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let auth = OpenBaoAuth::TokenFile { path: file.clone(), is_wrapped: true };
        let (address, reach) = (Endpoint::parse(&url).unwrap(), Reach::default());
        let settings = OpenBao { address, reach, namespace: None, auth: auth.clone() };
        let tokens = Tokens::start(Arc::new(Api::new(&settings).unwrap()), auth);
        Login { tokens, file, _folder: folder }
    }

    async fn answer(self, mut stream: TcpStream) {
        let mut request = vec![0; 1 << 14];
        let read = stream.read(&mut request).await.unwrap();
        let request = String::from_utf8(request[..read].to_vec()).unwrap();
        let token = request.lines().find_map(|line| line.strip_prefix("x-vault-token: ")).unwrap();
        let (status, body) = match request.contains(UNWRAP) {
            true => self.unwrap(token).await,
            false => ("200 OK", r#"{"data": {"ttl": 600}}"#.to_owned()),
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        // The caller may have hung up.
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    async fn unwrap(&self, token: &str) -> (&'static str, String) {
        let before = {
            let mut unwraps = self.unwraps.lock().unwrap();
            let count = unwraps.entry(token.to_owned()).or_default();
            *count += 1;
            *count - 1
        };
        sleep(self.pause).await;
        match before {
            0 => ("200 OK", format!(r#"{{"auth": {{"client_token": "content-of-{token}"}}}}"#)),
            _ => ("400 Bad Request", "{}".to_owned()),
        }
    }

    fn count(&self, token: &str) -> usize {
        self.unwraps.lock().unwrap().get(token).copied().unwrap_or_default()
    }
}

impl Login {
    fn write(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
        fs::set_permissions(&self.file, Permissions::from_mode(0o600)).unwrap();
    }

    async fn token(&self) -> Result<String, String> {
        let token = self.tokens.current().await.map_err(|fault| fault.to_string())?;
        Ok(String::from_utf8(token.value.expose().to_vec()).unwrap())
    }
}

#[tokio::test]
async fn wrapped_file_has_the_same_text_its_token_is_not_sent_again() {
    let server = Server::default();
    let login = server.login().await;
    let content = Ok("content-of-w1".to_owned());
    login.write("w1");
    assert_eq!(login.token().await, content);
    fs::set_permissions(&login.file, Permissions::from_mode(0o400)).unwrap();
    assert_eq!(login.token().await, content, "its mode changed");
    fs::remove_file(&login.file).unwrap();
    assert_eq!(login.token().await, content, "it is absent");
    login.write("w1\n");
    assert_eq!(login.token().await, content, "it was written again");
    assert_eq!(server.count("w1"), 1);
    login.write("w2");
    assert_eq!(login.token().await, Ok("content-of-w2".to_owned()));
    assert_eq!((server.count("w1"), server.count("w2")), (1, 1));
}

#[tokio::test]
async fn wrapped_file_is_absent_at_the_first_login_an_error_names_it() {
    let login = Server::default().login().await;
    let fault = login.token().await.unwrap_err();
    assert!(fault.contains("token: No such file"), "{fault}");
}

#[tokio::test]
async fn caller_gives_up_during_an_unwrapping_the_next_one_gets_the_content() {
    let server = Server { pause: Duration::from_millis(300), ..Server::default() };
    let login = server.login().await;
    login.write("w1");
    let gave_up = timeout(Duration::from_millis(100), login.token()).await;
    assert!(gave_up.is_err(), "the server is slower than the caller's patience");
    // The first comes while OpenBao works on it, the second one later.
    assert_eq!(login.token().await, Ok("content-of-w1".to_owned()));
    assert_eq!(login.token().await, Ok("content-of-w1".to_owned()));
    assert_eq!(server.count("w1"), 1);
}
