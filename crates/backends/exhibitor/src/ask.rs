//! One question to one Exhibitor: a connection of its own, a deadline, no redirect, a body that ends.

use std::{collections::BTreeSet, fmt, future::poll_fn, pin::Pin, pin::pin, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
    client::conn::http1,
    header::{
        ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue,
        TRANSFER_ENCODING, USER_AGENT,
    },
    http::uri::PathAndQuery,
};
use hyper_util::rt::TokioIo;
use reception_core::{ErrorKind, Result, Secret};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{
    error::{config, status, unfound},
    list::{Form, MOST_BYTES},
    options::Place,
};

/// The path of the list below the prefix.
const LIST: &str = "/exhibitor/v1/cluster/list";
/// Never left out: then the form is not defined.
const FORMS: &str = "application/json, application/x-www-form-urlencoded;q=0.5";
/// The most that is read of the head of an answer.
const HEAD: usize = 16 << 10;
const AGENT: &str = concat!("reception/", env!("CARGO_PKG_VERSION"));

/// How Exhibitors are asked.
pub(crate) struct Asker {
    target: PathAndQuery,
    login: Option<HeaderValue>,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsConnector>,
    limit: Duration,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker")
            .field("target", &self.target.as_str())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Asker {
    /// `prefix`: what stands before the path of the list; `limit`: how long one Exhibitor may take.
    pub(crate) fn new(prefix: &str, login: Option<&(String, Secret)>, limit: Duration) -> Result<Self> {
        let login = login.map(|(user, password)| basic(user, password)).transpose()?;
        let target = PathAndQuery::try_from(format!("{prefix}{LIST}"))
            .map_err(|cause| config("option \"prefix\" is no path").with_source(cause))?;
        Ok(Self {
            target,
            login,
            #[cfg(feature = "tls")]
            tls: None,
            limit,
        })
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn secure(mut self, tls: tokio_rustls::TlsConnector) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The servers that this Exhibitor tells.
    pub(crate) async fn ask(&self, place: &Place) -> Result<BTreeSet<String>> {
        match tokio::time::timeout(self.limit, self.exchange(place)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unfound(ErrorKind::Unavailable, format!("no answer within {:?}", self.limit))),
        }
    }

    async fn exchange(&self, place: &Place) -> Result<BTreeSet<String>> {
        let failed =
            |cause: std::io::Error| unfound(ErrorKind::Unavailable, "no connection").with_source(cause);
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(failed)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let name = place.name()?;
            let failed = |cause: std::io::Error| unfound(ErrorKind::Unavailable, "no TLS").with_source(cause);
            return self.talk(place, tls.connect(name, stream).await.map_err(failed)?).await;
        }
        self.talk(place, stream).await
    }

    async fn talk(
        &self,
        place: &Place,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    ) -> Result<BTreeSet<String>> {
        let broken = |cause: hyper::Error| unfound(ErrorKind::Unavailable, "no answer").with_source(cause);
        let mut request = Request::get(self.target.clone())
            .header(HOST, place.to_string())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, FORMS)
            .header(CONNECTION, "close");
        if let Some(login) = &self.login {
            request = request.header(AUTHORIZATION, login);
        }
        let request = request.body(String::new());
        let request = request.map_err(|cause| config("the request cannot be made").with_source(cause))?;
        let handshake = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(broken)?;
        let mut answer = pin!(async {
            let response = sender.send_request(request).await.map_err(broken)?;
            judge(response).await
        });
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            // The answer and the end of the connection may come together.
            _ = connection => {}
        }
        answer.await
    }
}

async fn judge(response: Response<Incoming>) -> Result<BTreeSet<String>> {
    if let Some(wrong) = status(response.status().as_u16()) {
        return Err(wrong);
    }
    let head = response.headers();
    let form = Form::of(head.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default())?;
    // Else the end of the connection is the end of the answer, also of half of one.
    let has_end = head.contains_key(CONTENT_LENGTH) || head.contains_key(TRANSFER_ENCODING);
    if !has_end && !form.shows_its_end() {
        return Err(unfound(ErrorKind::Protocol, "answered a form that does not tell where it ends"));
    }
    form.read(&whole(response.into_body()).await?)
}

/// The whole body, unless it is too long.
async fn whole(mut body: Incoming) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame =
            frame.map_err(|cause| unfound(ErrorKind::Unavailable, "half an answer").with_source(cause))?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > MOST_BYTES {
            let context = format!("answered more than {MOST_BYTES} bytes");
            return Err(unfound(ErrorKind::Protocol, context));
        }
        read.extend_from_slice(data);
    }
    Ok(read)
}

/// The header that logs a user in.
fn basic(user: &str, password: &Secret) -> Result<HeaderValue> {
    if user.contains(':') {
        return Err(config("the user holds a colon, which basic authentication cannot carry"));
    }
    let text = Secret::new(format!("{user}:{}", password.expose()));
    let header = Secret::new(format!("Basic {}", BASE64_STANDARD.encode(text.expose())));
    let mut value = HeaderValue::from_str(header.expose())
        .map_err(|_| config("the user or the password cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}
