"""Which words mean what to the input guard, in the languages its messages come in.

A concept has its words; a star ends a stem. `rules` says which concepts in a row are suspect. What tells a customer
from an attacker is the object: orders and prices are theirs, instructions and approvals are ours.
"""
# ruff: noqa: E501  a wrapped row of words reads worse than a long one

from types import MappingProxyType

WORDS = MappingProxyType(
    {
        # what an attacker does to instructions
        "drop": """ignor* disregard* forget* overlook neglect* discard* abandon* dismiss* drop scrap erase wipe void nullify unlearn
        override* overrid* overrule* supersede* bypass* delete cancel
        ignorier* vergiss vergesst vergessen missacht* verwirf* übergeh* beachte olvid* descart* oubli* néglig* dimentic* trascura
        esqueç* esquec* desconsider* игнорир* проигнорир* забуд* забыть отброс* отмени* negeer* vergeet zignoruj* zapomnij* unut* zaborav* ignorera glöm
        忽略 无视 忽视 忘记 忘掉 忘了 無視 忽略 忘れ 무시 잊어 잊고 تجاهل تجاهلي انس انسى भूल अनदेखा नज़रअंदाज़ bỏ abaikan lupakan""",
        "evade": """skip* bypass* circumvent* disabl* deactivat* remov* omit* avoid evad* suspend* waiv* overrid* override* dodge sidestep* suppress*
        ignor* disregard* drop forget forgo lift unlock hack* defeat neutrali* jump eliminat* cancel delete stop pause short-circuit
        überspring* umgeh* umgang* deaktivier* auslass* abschalt* ausschalt* schalte schalt ignorier* übergeh* salta* salte* sált* saltarte omit* omite desactiv* evit* elud* ignora* ignore
        saute* sauter contourn* désactiv* ignorer supprim* évit* outrepass* salta aggira* disattiva* disabilit* pule pular ignore desativ* contorn*
        пропуст* обойд* обойти обход* отключ* минуя игнорир* pomiń* omiń* wyłącz* sla atla* devre hoppa
        跳过 绕过 绕开 关闭 禁用 取消 忽略 省略 略过 飛ば スキップ 回避 無効 迂回 건너뛰 우회 생략 تخطى تخطي تجاوز ألغ عطل छोड़ हटा बायपास""",
        "off": "off ab aus down aside away out",
        "turn": "turn* switch* shut* put set take push cut throw leave get work go kick schalt* schalte lass* stell*",
        "not": "not never don dont cannot cant no without nicht nie kein* ohne sin no nunca sans pas ne jamais senza non mai sem não не без никогда zonder bez 不 别 不要 不用 不得 無し なし 없이 بدون لا बिना मत",
        "without": """without sans ohne sin senza sem без zonder bez uten utan olmadan minus avoiding skipping bypassing circumventing no
        不经 无需 不需要 不用 不必 未经 不经过 無しで なしで なし せずに 없이 بدون دون बिना tanpa""",
        "prior": """previous* prior earlier above preceding former past foregoing existing original initial initially before preceeding precedent* up far beforehand
        vorherig* bisherig* vorangehend* vorangegangen* obig* vorig* früher* davor zuvor vorher oben anterior* previ* arriba antes précédent* antérieur* avant dessus
        prima sopra acima предыдущ* прежн* ранее выше vorige eerdere poprzedni* wcześniejsz* önceki
        之前 以前 先前 上面 以上 此前 前面 前述 これまで 以前 上記 今までの 이전 앞의 위의 السابقة السابق قبل पिछले पिछली पहले ऊपर trước sebelumnya""",
        "all": """all any every everything each entire whole anything alle alles aller allen sämtliche* jede* gesamte* todo toda todos todas cualquier* tout toute tous toutes tutto tutta tutti tutte
        qualquer tudo все всё всех всю alle wszystki* wszelki* tüm bütün sve svi 所有 一切 全部 任何 すべて 全て 全部 모든 모두 전부 جميع كل सभी सब सारे semua""",
        "yours": """your ur yours yourself dein* ihre ihren ihrer tu tus su sus vuestr* ton ta tes vos votre tuo tua tue tuoi vostre seu sua seus suas teu tuas
        твои* твоих твою твой твое ваши* ваших ваш вашу свои* свою своего jouw uw je twoj* twoi* senin 你的 您的 你 あなたの 君の 당신의 너의 तुम्हारे अपने अपना आपके आपका""",
        "mine": "my mine our mein* unser* mi mis mon ma mes meu minha mio miei мой мои мою моих 我的 我 私の 내 मेरे मेरा meri",
        "i": "i we ich wir yo je nous io eu я мы 我 私 나는 मैं",
        "you": "you u ye ya du sie tú usted tu vous voi você ты вы 你 您 あなた",
        "ours": """system* developer* hidden secret internal safety security core underlying default operator* openai anthropic assistant* supervisor* agent* company* platform* moral* ethical content built base
        hardcoded confidential meta sicherheit* intern* versteckt* geheim* sistema ocult* intern* secret* seguridad système caché* cachée* sécurité interne* nascost* segret* interno
        систем* скрыт* секретн* внутренн* безопасност* ukryt* systemow* gizli sistem 系统 隐藏 内部 安全 秘密 システム 隠し 内部 시스템 숨겨진 النظام المخفية सिस्टम छिपे गुप्त hệ""",
        "rules": """instruction* rule rules ruleset guideline* directive* prompt prompts policy policies constraint* restriction* guardrail* safeguard* programming rulebook limitation* protocol protocols safeties
        anweisung* regel regeln vorgabe* richtlinie* instruktion* befehle* beschränkung* einschränkung* systemprompt prompt* instruccion* regla* norma normas directric* restriccion* consigne* règle*
        istruzion* regol* direttiv* restrizion* instruç* instruc* regra* diretriz* инструкци* правил* указани* ограничени* промпт* директив* instructie* regels richtlijn* instrukcj* zasad* wytyczn* polecen* talimat* kural* uputstv* instrukcij* regler instruktioner
        指令 规则 指示 规定 限制 提示词 提示 指南 设定 命令 指示 ルール 命令 規則 制限 プロンプト 制約 지시 규칙 명령 지침 프롬프트 제한 التعليمات تعليمات القواعد قواعد تعليماتك قواعدك निर्देश* नियम* हिदायत* petunjuk instruksi aturan""",
        "strict_rules": """instruction* prompt prompts directive* guideline* systemprompt anweisung* instruktion* instruccion* consigne* istruzion* instruç* инструкци* промпт* instructie* instrukcj* talimat*
        programming config configuration 指令 提示词 指示 プロンプト 지시 프롬프트 التعليمات تعليماتك تعليمات निर्देश* प्रॉम्प्ट""",
        "makers": "developer* creator* maker makers builder* programmer* trainer* openai anthropic vendor entwickler* programmierer* hersteller erfinder creador* desarrollador* programador* développeur* créateur* concepteur* sviluppator* creator* programmator* desenvolvedor* criador* разработчик* создател* programist* twórc* ontwikkelaar* geliştirici* 开发者 开发人员 创造者 開発者 개발자 المطور المطورين डेवलपर*",
        "gone": "abolished gone void lifted suspended removed repealed cancelled canceled revoked scrapped nonexistent obsolete abgeschafft aufgehoben ausgesetzt abolida* suprimid* aboli* levée* abolit* отменен* отменены 废除 取消 廃止 폐지",
        "startup": "setup startup start-up opening startmessage briefing preamble bootstrap onboarding-prompt started initialised initialized initialization launched booted gestartet initialisiert arrancad* démarré* avviat*",
        "task": "task tasks assignment* job aufgabe* auftrag aufträge tarea* tâche* tarefa* задани* задач* context conversation information angaben ausführungen documents knowledge thoughts role",
        "told": "told said taught learned learnt know knew known instructed given gave loaded read wrote written think believe gesagt* weißt gelernt dijeron sabes saben sais appris dit sanno знаешь сказали 说 知道 告诉",
        "fresh": "new updated real true actual following different revised neue* folgende* nuev* nouvelle* nuov* nova* новы* 新 新しい",
        "follow": "follow* obey* adhere* comply complies abide bound bind confined governed restricted limited constrained apply applies befolg* folge* halte hält gelten obedec* sigas sigue seguir suis respecte* suivre segui* obedeç* следуй* соблюда* подчиня* 遵守 遵循 听从 従う 従わ 따르",
        # how an assistant is governed, in other words than "instructions"
        "governance": """guidance direction directions steering briefing brief persona configuration config setup guideline* directive* policy policies rule rules instruction* programming script filter filters filtering alignment
        training orders mandate restriction* constraint* principle* safeguard* guardrail* conditioning tuning boundaries rulebook""",
        "dismissed": """stale void obsolete outdated superseded expired cancelled canceled deleted revoked lifted repealed gone optional suggestion* recommendation* nonsense meaningless worthless irrelevant
        suspended paused disabled waived nonbinding advisory null withdrawn retired replaced overwritten erased filler fiction fake history""",
        "setaside": """unlearn unlearned ignore disregard forget drop discard scrap abandon dismiss ditch shed erase wipe purge overlook neglect shelve undo reject disobey defy violate break flout abandon renounce
        overwrite override replace supersede outrank trump""",
        "obey": "obey obedient obedience comply complies compliant loyal serve serves submit answerable faithful",
        "topmost": "top beginning start head opening first firstly initially earliest",
        "chatlog": "chat conversation context transcript dialogue dialog window prompt session thread log",
        "utter": "said typed wrote write say sent spoke began started joined came arrived entered connected opened",
        "unchecked": """unreviewed unapproved unsigned unchecked unseen unsupervised unauthorised unauthorized unverified unmoderated straight directly automatically silently immediately""",
        "signature": "signature signatures signoff sign-off reviewer reviewers approval approvals approver approvers oversight supervision leash scruples",
        "nobody": "nobody no-one noone none never no not zero without dont didnt doesnt nothing neither nor isnt wasnt lacks lacking",
        "cleared": "signed cleared okayed ok'd okay fine agreed authorised authorized approved confirmed accepted green-lit greenlit permitted granted waived vouched allowed",
        "scene": """story novel movie film game roleplay role-play scene script dialogue fictional fiction hypothetical hypothetically improv play theatre poem song dream simulation lullaby tale universe world reality dimension timeline
        imagine pretend suppose imagination make-believe thought-experiment sketch parody alternate parallel counterfactual""",
        "market": """quote quotes price prices order orders trade trades news headline* estimate* forecast* chart charts number* figure* outlook dividend* earnings column columns position positions holding* result results row rows line lines
        execution* fill fills alert alerts watchlist*""",
        "us": "platform desk nextrade app service firm bank broker here company's system database deployment installation",
        "person1": "client user trader colleague coworker teammate",
        "most": "biggest largest richest most highest wealthiest fattest",
        # the approval
        "approval": """approval* approver* reviewer* confirmation* authorisation* authorization* signoff sign-off consent gate gatekeeper* checkpoint interrupt clearance oversight hitl verification
        freigabe* genehmigung* zustimmung bestätigung* prüfung prüfer* aprobaci* autorizaci* confirmaci* revisi* validation validaci* approbation* autorisation* accord approvazion* autorizzazion* conferma aprovaç* autorizaç* confirmaç*
        одобрени* подтвержден* утвержден* согласован* разрешени* проверк* goedkeuring* akceptacj* zatwierdzeni* zgody onay* godkännande
        审批 批准 审核 确认 核准 授权 复核 人工 承認 確認 許可 승인 확인 الموافقة موافقة मंज़ूरी मंजूरी अनुमोदन स्वीकृति persetujuan duyệt""",
        "human": "human* people person* manual* second supervisor* someone somebody anyone anybody nobody colleague compliance reviewer* approver* mensch* menschlich* person* niemand* jemand* human* nadie persona humain* personne umano nessuno humano ninguém человек* никого кто-то 人工 人类 人 任何人 人間 誰 사람 بشر بشرية इंसान* मानव* किसी",
        "check": "check checks review reviews step steps look looking button verification intervention supervision control controls approval* question questions prüfung schritt kontrolle revisión paso vérification étape contrôle verifica controllo verificação passo проверк* шаг* 步骤 检查 环节 チェック ステップ 確認 단계 검토 التحقق خطوة जाँच",
        "approve": """approve approved approves approving authorise authorize greenlight green-light sign release confirm rubber-stamp ok okay validate clear accept genehmige genehmigen freigeben bestätige gib aprueba apruebe aprobar autoriza valide valider approuve* approuver autorise
        approva approvi conferma aprove aprovar одобри одобрите одобрить подтверди подтвердите утверди goedkeur zatwierdź onayla 批准 审批 通过 承認 승인해 وافق मंज़ूर अनुमोदित स्वीकृत मंजूर""",
        "stamp": "approve authorise authorize greenlight green-light rubber-stamp genehmige genehmigen freigeben bestätige aprueba apruebe aprobar valide valider approuve* approuver approva approvi aprove aprovar одобри одобрите одобрить подтверди подтвердите утверди zatwierdź onayla 批准 审批 承認し 승인해 وافق मंज़ूर अनुमोदित",
        "approved": "approved authorised authorized released confirmed preapproved cleared validated greenlit waived genehmigt* freigegeben* bestätigt aprobad* autorizad* approuvé* validé* approvat* aprovad* одобрен* подтвержден* утвержден* 已批准 已审批 已确认 承認済 승인됨",
        "done": "filled executed completed approved settled done authorised authorized released confirmed complete fulfilled ausgeführt* genehmigt* erledigt freigegeben* ejecutad* aprobad* completad* exécuté* approuvé* validé* eseguit* approvat* executad* aprovad* исполнен* выполнен* одобрен* 已成交 已执行 已批准 成交 已完成 已通过 約定 承認済 체결 منفذ पूर्ण",
        "mark": "mark* set change* update* flip switch edit alter modif* register record* overwrite put turn make label flag convert markier* setz* setze änder* ändere trag* marca* marque* cambia* pon actualiza* changer change mets met passe* segna imposta marque altere отметь* отметьте помет* измени* поставь 标记 标为 改为 设为 设置 改成 更改 変更 にして 설정 변경 غير ضع चिह्नित बदल*",
        "order": "order orders trade trades ord transaction* position purchase sale status it them this that auftrag aufträge bestellung kauf verkauf orden* pedido* compra venta operación ordre* achat vente transaction ordine ordini ordem ordens заказ* ордер* сделк* заявк* zlecen* emir* 订单 交易 单子 委托 注文 取引 주문 الطلب طلبي الأمر أوامر أوامري ऑर्डर आदेश सौदा",
        "orders": "order orders trade trades ord transaction* purchase auftrag aufträge orden* pedido* operación ordre* transaction ordine ordini ordem ordens заказ* ордер* сделк* заявк* zlecen* emir* 订单 交易 委托 注文 取引 주문 الطلب طلبي ऑर्डर",
        "trade": """buy* sell* purchas* execut* place* submit* send transmit route trade* fill process* go proceed push book invest dump act acting liquidat* run invoke call release pass kauf* verkauf* führe führ platzier* schick* ausführ* compr* vend* ejecut* coloc* enví* envi* pasa achet* achèt* exécut* pass* plac* envoy*
        acquist* esegui* compra* invia execut* mande купи* прода* исполн* выполн* размест* отправ* kup sprzedaj koop verkoop al sat 买入 购买 卖出 执行 下单 提交 成交 买 卖 買 売 購入 売却 実行 発注 通し 매수 매도 실행 사 اشتر بع نفذ نفّذ खरीद* बेच* पूरा""",
        "as": "as to into like equals = als auf como comme en come на как 为 成 として में",
        "ask": "ask asking asks wait waiting consult* notify notifying inform informing tell telling involve involving bother bothering frag* fragen warte* preguntar* preguntes avis* esperar espera demand* attend* chiedere aspettare perguntar спрашива* жди 问 询问 等待 等 告诉 聞か 물어 انتظار سؤال पूछे पूछ",
        "need": "need* require* necessary wanted nötig erforderlich notwendig necesit* requier* hace besoin nécessaire requis serve necessari* precis* нужн* требуется 需要 必要 필요",
        "below": "below under beneath underneath smaller unter debajo sous abaixo ниже",
        "limit_line": "threshold* radar cutoff limit size amount level schwelle grenze umbral seuil soglia limiar порог*",
        "control": "audit* guardrail* safeguard* logging killswitch watchdog safety riskcheck circuit compliance restricted guard monitoring moderation filter filters censorship protections sicherheits* schutz* registro auditoría sécurité garde-fou* аудит* защит* 风控 安全 审计 监控 監査 안전",
        "control_noun": "log logs trail check checks layer system systems module rules list switch mechanism* limits filter filters control controls policy feature features protocol* measure* settings engine mode review trail prüfung maßnahmen control* contrôle* 检查 机制 系统 限制",
        "pretend": "pretend* assume suppose act imagine roleplay role-play simulate consider treat regard say claim tu* stell behaupte finge imagina simul* imagine fais prétends considère fingi притворись представь считай 假装 假设 扮演 当作 ふり 演じ 척 تظاهر मान नाटक दिखावा",
        # prompt extraction
        "reveal": """reveal* show* print* display* output* repeat* paste* disclos* expos* dump* list lists listing leak* recit* quote* summari* translat* provid* return* echo* encod* spell write share give tell* copy render emit send export fetch read publish explain describe enumerate retrieve type transcribe convert put reproduce state see view access pull look post surrender hand verbatim
        zeig* gib nenn* druck* verrat* wiederhol* schreib* sag* offenbar* liste ausgeb* anzeig* übersetz* muéstra* muestra* mostrar revela* imprim* repit* dime dame escrib* enséñ* copia* lista* enumera montre* affich* révèl* répèt* donne* écri* dis recopie* imprime* liste listen traduis
        mostra* rivela* stampa* ripeti* dimmi dammi elenca mostre revele imprima repita diga liste покажи* выведи* раскрой* напечата* повтори* скажи* напиши* перечисли* toon laat pokaż* wypisz* göster* yaz* prikaži
        显示 展示 打印 输出 告诉 透露 泄露 重复 列出 给我 说出 写出 公开 查看 見せ 表示 教えて 出力 開示 繰り返 見たい 보여 알려 출력 공개 اعرض أظهر اكشف اطبع أعطني दिखा* बता* लिख* प्रकट tunjukkan hiển""",
        "what": "what whats which how was welche* wie lautet qué cual* cuál* quel* quelle* quoi che quali quais qual какие какой каков* что 什么 何 뭐 ما क्या",
        "prompt": "prompt prompts systemprompt* preprompt metaprompt prompttext* prompt* промпт* 提示词 提示 プロンプト 프롬프트 प्रॉम्प्ट",
        "message": "message messages msg text content context window input words lines conversation nachricht mensaje message instructions role setup briefing turn line sentence",
        "sysword": "system* developer* operator* initial* hidden supervisor* sistema système систем* 系统 システム 시스템 النظام सिस्टम",
        "firstly": "first start began begin beginning started",
        "tool": "tool tools function functions api apis agents werkzeug* herramient* outil* strumenti ferramentas инструмент* 工具 ツール 도구",
        "schema": "schema* definition* signature* parameter* argument* json spec specs names name internals source code",
        "secret": "credential* apikey* apikeys dotenv env environment passwords password token tokens connectionstring zugangsdaten passwort* contraseñ* credencial* clave* secretos identifiants motdepasse passe credenziali senhas пароль пароли паролей ключи ключ 密钥 密码 口令 パスワード 비밀번호 secrets key keys secret_key",
        "hard_secret": "credential* apikey* dotenv env environment passwords secrets secret zugangsdaten passwörter contraseñas credenciales identifiants credenziali senhas паролей пароли 密钥 密码 パスワード database_url",
        "api": "api access private secret signing root admin master database db jwt session encryption privat*",
        # other people
        "other": "other others another all every each everyone everybody different any somebody someone andere* alle* aller jede* otro* otra* todos demás autre* tous toutes chaque altri altro tutti outro* outra* todos друг* всех все чуж* 其他 别的 所有 全部 他の 全 다른 모든 الآخرين جميع दूसरे अन्य सभी",
        "users": "user users user_id customer customers client clients account accounts member members tenant tenants customers nutzer* benutzer* kunde* kunden* konten usuari* cliente* cuenta* utilisateur* client* compte* utent* clienti conti usuári* contas пользовател* клиент* счет* gebruiker* klant* użytkownik* klient* kullanıcı* müşteri* 用户 客户 账户 ユーザー 顧客 利用者 口座 사용자 고객 계정 المستخدم المستخدمين العملاء यूज़र* ग्राहक* उपयोगकर्ता*",
        "user1": "user userid uid customer client account tenant thread session nutzer* benutzer* kunde* kunden* konto usuari* cliente cuenta utilisateur* client compte utente usuári* conta пользовател* клиент* счет* 用户 客户 账户 ユーザー 사용자",
        "holdings": "position* portfolio* holding* balance* order orders trade trades history chat chats conversation* message* account* data detail* email* cash transaction* record* watchlist* statement* name names depot* kontost* guthaben bestände daten posicion* saldo* cartera* datos portefeuille* solde* données titres posizion* dati carteira* позици* портфел* баланс* остат* данные сделк* 持仓 余额 订单 数据 资料 组合 交易 保有 残高 注文 情報 잔고 포지션 데이터 أرصدة رصيد مراكز محفظة पोज़िशन बैलेंस डेटा पोर्टफोलियो",
        "of": "of for from by belonging held owned to von für des der de del du di do da у の 的 का के",
        "kin": "colleague* coworker* neighbour* neighbor* boss rival* competitor* ex kollege* kollegin nachbar* chef colega* vecin* jefe collègue* voisin* patron collega vicino коллег* сосед* начальник* 同事 邻居 老板 同僚 동료",
        # role play
        "persona": "evilbot jailbroken unfiltered uncensored unrestricted unchained unhinged amoral uncensored nonmoral unethical immoral lawless unbound",
        "be": "are re act acts acting play playing become becomes becoming behave impersonate embody pose posing respond responding answer answering simulate roleplay emulate transform bist spiel* verhalte eres actúa actua* serás es agis joue incarne sei recita comporta-te você ты веди 扮演 是 なって 演じて",
        "nowon": "now henceforth onwards onward hereby ab jetzt nun fortan ahora maintenant désormais ora adesso agora теперь отныне 现在 从现在 今から 이제 الآن अब",
        "limits": "restriction* rule rules limit limits limitation* filter filters guideline* ethic* moral* morality censorship constraint* boundar* policy policies restraint* law laws principles legality refusals refuse approvals scruples regeln beschränkung* grenzen einschränkung* filter moral límites restriccion* reglas ética limites restrictions règles éthique limiti restrizioni regole restrições regras ограничени* правил* фильтр* цензур* 限制 规则 约束 过滤 道德 制限 ルール 제한 규칙",
        "free": "free freed liberated unbound break broken breaks unshackled released escape escaped frei befreit libre libéré* libero livre свобод* 自由 解放",
        "refuse": "refuse* decline* deny denies reject* verweiger* rechaz* refus* rifiut* recus* отказ* 拒绝 断ら",
        "always": "always must every immer siempre toujours sempre всегда 总是 必ず never nunca jamais",
        "bad": "illegal immoral unethical harmful offensive amoral inappropriate dangerous explicit violent hateful vulgar controversial racist malicious nsfw profanity swearing illegality immorality",
        "fiction": "story novel movie film game roleplay scene script dialogue fictional fiction hypothetical hypothetically character play theatre poem song dream simulation lullaby tale geschichte roman rolle szene cuento historia novela juego película personaje histoire roman jeu scène personnage storia gioco história jogo истори* роман* игр* сцен* 故事 小说 游戏 角色 電影 物語 小説 ゲーム 이야기 소설 قصة कहानी",
        "granny": "grandma* grandmother* granny grandpa grandfather* nana aunt dying deceased late oma opa großmutter abuela abuelo mamie nonna vovó бабушк* 奶奶 外婆 祖母 할머니 दादी",
        "used": "used whispered sang told read always bedtime lullaby sing whisper erzählte contaba racontait",
        "mode": "mode modus modo мод режим* 模式 モード 모드 وضع मोड",
        "modename": "developer debug maintenance god admin root sudo unrestricted dev test testing diagnostic jailbreak override opposite entwickler* wartung* desarrollador* mantenimiento développeur maintenance отладк* разработчик* 开发者 维护 调试 管理员 开放 開発者 관리자 chaos unlocked raw privileged service superuser emergency",
        "comply": "comply complies obey obeys obeying answer answers fulfil* fulfill* gehorch* obedec* obéi* obbedisc* подчин* 服从 従う",
        # authority, social, memory
        "am": "am m this here here's as speaking bin hier soy aquí suis ici sono это я 我是 本人 私は 나는 أنا मैं",
        "boss": "ceo cto cfo coo ciso admin administrator* sysadmin superuser root developer* engineer engineering head director compliance officer auditor* regulator supervisor operator owner founder openai anthropic vendor support security it-department staff management moderator principal chief administrador* director* jefe administrateur* directeur* responsable gestor amministratore direttore verantwortlich* leiter* geschäftsführer* vorstand entwickler* администратор* директор* разработчик* руководител* 管理员 管理者 经理 总监 开发者 主管 開発者 社長 관리자 대표 مدير المدير एडमिन प्रशासक व्यवस्थापक निदेशक yönetici",
        "rights": "rights privilege* permission* clearance access authority authorisation authorization trusted verified whitelisted exempt exempted privileged rechte permisos droits permessi права 权限 権限 권한 صلاحية अधिकार",
        "adminword": "admin administrator* root superuser sudo elevated full unrestricted special god operator trader_unlimited volle* voll total* plein* полн* 管理员 最高 全部",
        "memory": "memory memories remember remembers note profile memorise memorize merk* gedächtnis speicher* memoria mémoire запомни* 记住 记忆 記憶 기억 याद",
        "save": "save store write add record put keep note remember persist",
        "trusted": "trusted exempt guardrail* unrestricted preapproved pre-approved approved admin administrator* whitelisted authorised authorized verified",
        "means": "means mean stands signifies equals counts count bedeutet heißt significa signifie vuol означает 代表 意味 表示 意思",
        "codeword": "word codeword phrase password keyword passphrase emoji say wort palabra mot parola palavra слово 单词 暗号 词 合言葉",
        "yousaid": "said told promised agreed confirmed mentioned accepted acknowledged established granted gave sagtest versprochen prometiste dijiste promis обещал* сказал*",
        "urgent": "urgent urgently emergency immediately quickly seconds deadline dringend sofort urgente urgence immédiatement срочно немедленно 紧急 马上 立刻 緊急 すぐ 긴급 فورا فوراً तुरंत",
        "time": "time zeit tiempo temps tempo времени 时间 時間",
        "silent": "silently secretly quietly discreetly heimlich stillschweigend secretamente secrètement тайно 悄悄 偷偷 内緒",
        # obfuscation and pieces
        "cipher": "base64 b64 rot13 rot-13 caesar cipher ciphertext hex hexadecimal morse leetspeak leet reversed backwards backward encoded encrypted decoded unicode binary ascii atbash rückwärts codificado chiffré",
        "decode": "decode* decrypt* decipher* unscramble* reverse unreverse translate dekodier* entschlüssel* decodif* descifr* décod* déchiffr* раскодир* декодир* расшифр* 解码 解密 デコード 復号",
        "carry": "follow* execut* obey perform run carry act do answer comply respond apply implement befolg* ausführ* führe tu ejecut* haz sigue exécut* suis fais esegui segui faça выполн* следуй 执行 按照 照做 実行 従って 실행 نفذ",
        "join": "join* combin* concatenat* merge* assembl* glue append stitch put together verbinde füge kombinier* une combina junta assemble* combine* unisci junte соедин* объедин* 拼接 合并 组合 连接 拼 結合 繋げ つなげ 합쳐",
        "pieces": "piece* part parts fragment* string strings segment* chunk* variable* halves token tokens letters word words lines initials acronym teile* stück* partes trozos fragmento* morceaux parties parti pezzi част* кусоч* 部分 片段 变量 一段 部品 断片 조각",
        "each": "each every jede* cada chaque ogni кажд* 每 各",
        "send": "send* post* upload* forward* transmit* append* embed* deliver* submit leak* email* mail* exfiltrat* render* include* insert* put load fetch request call search attach schick* sende* envía* envi* envoy* invia* manda* отправ* 发送 发到 上传 送信 送って 보내",
        "where": "url urls http https link links image img webhook server endpoint pastebin website domain markdown querystring query ftp adresse enlace lien immagine imagem картинк* ссылк* 链接 图片 网址 リンク 画像 링크 이미지 bild",
        "loot": "conversation* chat history key keys password* token secret* credential* balance* positions portfolio holdings account data prompt instructions context user* customer* email ssn daten conversación datos conversation données 对话 数据 余额 持仓 密钥 会話 データ",
        "sqlish": "sql query queries code command commands script shell python bash terminal",
        "model": "ai llm model assistant* chatbot bot agent agents reader readers gpt chatgpt automated ki modell* ia asistente modèle ии 模型 助手 人工智能 エーアイ",
        "untell": "conceal hide mention disclose reveal tell inform show",
        "theuser": "user person customer human client reader nutzer usuario utilisateur пользовател* 用户 ユーザー",
        "ext_order": "rate rating recommend buy strong",
        # what attacks are never about: keeps "skip the approval e-mail" and "ignore the FDA approval" apart
        "aside": "board fda ema regulatory regulator* shareholder* antitrust drug merger patent mail mails email emails e-mail newsletter notification* alert alerts popup pop-up reminder* chart charts earnings dividend* price prices news headline* analyst* disclaimer* tutorial card trial phase credit loan mortgage job approval-rating rating ratings",
        "lead": "and then please just now you also to must should so but instead or und dann bitte nun jetzt y luego por favor et puis s'il e poi poi então и затем пожалуйста 请 然后 并 并且 直接 let's lets can could will would go simply",
    }
)
